# The flags of every target of the project.
add_library(project_flags INTERFACE)
target_compile_options(project_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wformat=2)
target_include_directories(project_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(project_flags INTERFACE PORTCULLIS_VERSION="${PROJECT_VERSION}")
if(PORTCULLIS_SANITIZE)
  target_compile_options(project_flags INTERFACE
    -fsanitize=${PORTCULLIS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(project_flags INTERFACE -fsanitize=${PORTCULLIS_SANITIZE})
  target_compile_definitions(project_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(PORTCULLIS_FUZZING)
  target_compile_options(project_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# add_stage(<folder> [NAME <target>] [DEPENDS <stage>...] [LIBS <library>...])
# One static library per folder, with the alias portcullis::<target>. DEPENDS is the layering: the
# stages that the table in the README.md beside allows (tests/layering_test.py compares them). LIBS
# are third-party libraries, which stay private to the stage.
function(add_stage folder)
  cmake_parse_arguments(S "" "NAME" "DEPENDS;LIBS" ${ARGN})
  if(NOT S_NAME)
    set(S_NAME ${folder})
  endif()
  file(GLOB src CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  add_library(${S_NAME} STATIC ${src})
  add_library(portcullis::${S_NAME} ALIAS ${S_NAME})
  set_target_properties(${S_NAME} PROPERTIES
    UNITY_BUILD ${PORTCULLIS_UNITY_BUILD} UNITY_BUILD_BATCH_SIZE 6)
  if(PORTCULLIS_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # In a unity build g++ takes the included sources for headers, and warns about types in their
    # anonymous namespaces.
    target_compile_options(${S_NAME} PRIVATE -Wno-subobject-linkage)
  endif()
  target_link_libraries(${S_NAME} PUBLIC project_flags ${S_DEPENDS} PRIVATE ${S_LIBS})
endfunction()
