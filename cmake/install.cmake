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
file(GLOB responders CONFIGURE_DEPENDS active-response/*.sh)
get_property(compiled_responders GLOBAL PROPERTY PORTCULLIS_RESPONDERS)
foreach(name ${compiled_responders})
  list(APPEND responders $<TARGET_FILE:${name}>)
endforeach()
install(CODE "set(responders \"${responders}\")")
install(SCRIPT cmake/install_home.cmake)
