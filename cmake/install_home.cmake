# Runs at installation: makes the home and fills it.
#
# Below a prefix of the system (/, /usr, /usr/local) it is the home that the programs use if no other
# is given. Below another prefix it is PREFIX/var/lib/portcullis, for `-D`. scripts/run fills the home
# of a checkout the same way (fill_home in scripts/common.sh).
if(CMAKE_INSTALL_PREFIX MATCHES "^(/|/usr|/usr/local)/?$")
  set(home /var/lib/portcullis)
  set(iplog_conf /etc/iplog.conf)
  set(iplog_log /var/log/iplog)
else()
  set(home ${CMAKE_INSTALL_PREFIX}/var/lib/portcullis)
  set(iplog_conf ${home}/etc/iplog.conf)
  set(iplog_log ${home}/logs/iplog)
endif()

foreach(folder etc decoders rules active-response/bin run logs)
  make_folder("$ENV{DESTDIR}${home}/${folder}")
endforeach()
file(INSTALL DESTINATION "${home}/active-response/bin" TYPE PROGRAM FILES ${responders})

# install_new(<shipped file> <destination>): unless there is one. The log of the sensor is where
# portcullis-control lets it write.
function(install_new shipped destination)
  set(file "$ENV{DESTDIR}${destination}")
  if(EXISTS "${file}")
    message(STATUS "Kept: ${file}")
    return()
  endif()
  cmake_path(GET file PARENT_PATH folder)
  make_folder("${folder}")
  file(READ "${source}/${shipped}" text)
  foreach(element location from_file)
    string(REPLACE "<${element}>/var/log/iplog</" "<${element}>${iplog_log}</" text "${text}")
  endforeach()
  message(STATUS "Installing: ${file}")
  file(WRITE "${file}" "${text}")
  file(CHMOD "${file}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

install_new(etc/ossec.conf ${home}/etc/ossec.conf)
install_new(etc/iplog.conf ${iplog_conf})
install_new(decoders/iplog_decoders.xml ${home}/decoders/iplog_decoders.xml)
install_new(rules/iplog_rules.xml ${home}/rules/iplog_rules.xml)
