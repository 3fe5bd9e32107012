# cmake --install BUILD [--prefix DIR]: programs, man pages, and a home as docs/layout.md describes
# it. DESTDIR is respected. Configuration, decoders and rules that are there already stay as they are.
include(GNUInstallDirs)

file(GLOB man_pages CONFIGURE_DEPENDS packaging/man/*.[1-9])
set(folders ${CMAKE_INSTALL_SBINDIR} ${CMAKE_INSTALL_BINDIR})
foreach(page ${man_pages})
  string(REGEX REPLACE ".*[.]" "" section ${page})
  list(APPEND folders ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
# install() leaves the mode of the folders that it makes to the umask.
install(CODE "set(install_folders \"${folders}\")")
install(SCRIPT cmake/install_folders.cmake)

# control starts the daemons that are in its own folder.
install(TARGETS portcullis-engine portcullis-execd portcullis-control portcullis-sensor
        RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS portcullis-logtest RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

foreach(page ${man_pages})
  string(REGEX REPLACE ".*[.]" "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

install(CODE "set(source \"${PROJECT_SOURCE_DIR}\")")
install(CODE "set(responders \"$<TARGET_FILE:firewall-drop>\" \"${PROJECT_SOURCE_DIR}/active-response/firewall-drop.sh\")")
install(SCRIPT cmake/install_home.cmake)
