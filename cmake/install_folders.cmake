# Runs first at installation: makes the folders of programs and man pages, and defines make_folder().

# make_folder(<path>): makes a folder with its parents, unless it is there. Other users have to enter the
# folders, and only their owner may write to them, whatever the umask is.
function(make_folder path)
  if(path STREQUAL "" OR IS_DIRECTORY "${path}")
    return()
  endif()
  cmake_path(GET path PARENT_PATH parent)
  make_folder("${parent}")
  file(MAKE_DIRECTORY "${path}")
  file(CHMOD "${path}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
                                   GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endfunction()

foreach(folder ${install_folders})
  cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
  make_folder("$ENV{DESTDIR}${folder}")
endforeach()
