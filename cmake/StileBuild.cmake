# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
#
# stile_library(NAME DEPENDS ... [EXTERNAL ...]) is the whole build description of a library:
# sources are src/*.cpp, tests tests/*.cpp, fuzz targets fuzz/*.cpp, and the first ```cpp block of
# README.md is compiled and run as a test. A library sees its own include root and those of DEPENDS.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(STILE_RUNTIME_DIR "${PROJECT_BINARY_DIR}/bin")
set_property(GLOBAL PROPERTY JOB_POOLS stile_link=1)
set(CMAKE_JOB_POOL_LINK stile_link)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(stile_warnings INTERFACE)
target_compile_options(stile_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
  -Wold-style-cast -Wno-missing-field-initializers>)
if(STILE_WERROR)
  target_compile_options(stile_warnings INTERFACE -Werror)
endif()
# libstdc++ 12's own stable_sort uses what clang 19 calls deprecated.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(stile_warnings INTERFACE -Wno-error=deprecated-declarations)
endif()

if(STILE_SANITIZE)
  add_compile_options(-fsanitize=${STILE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${STILE_SANITIZE})
endif()
if(CMAKE_BUILD_TYPE MATCHES "Release|RelWithDebInfo")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
add_compile_definitions(_GLIBCXX_ASSERTIONS)

# A change in one library links dozens of test programs anew; lld needs a quarter of the time.
find_program(STILE_LLD ld.lld)
if(STILE_LLD)
  add_link_options(-fuse-ld=lld)
endif()

set_property(GLOBAL PROPERTY STILE_COMPONENTS "")

# One doctest main for all test programs: it alone costs two seconds to compile.
function(stile_test_main)
  if(NOT TARGET stile_test_main)
    find_package(doctest REQUIRED)
    add_library(stile_test_main STATIC "${PROJECT_SOURCE_DIR}/cmake/test_main.cpp")
    target_link_libraries(stile_test_main PUBLIC doctest::doctest)
  endif()
endfunction()

# stile_test(NAME [LABEL l] SOURCES ... LINK ...): a doctest program and its ctest entry.
function(stile_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  stile_test_main()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE stile_test_main stile_warnings ${arg_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()

# stile_python_test(LABEL NAME): NAME_test.py of this folder against the built programs. Status 77 is
# "this machine cannot, and the output says why".
function(stile_python_test label name)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME ${label}_${name}
    COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.py")
  set_tests_properties(${label}_${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 600
    ENVIRONMENT "STILE_BIN=${STILE_RUNTIME_DIR};STILE_SOURCE=${PROJECT_SOURCE_DIR};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/natlab")
endfunction()

# fuzz/NAME.cpp defines LLVMFuzzerTestOneInput; fuzz/corpus/NAME/ is replayed as an ordinary test.
function(stile_fuzz_target library source)
  get_filename_component(target "${source}" NAME_WE)
  set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${target}")
  if(STILE_FUZZ)
    add_executable(fuzz_${library}_${target} "${source}")
    target_compile_options(fuzz_${library}_${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${library}_${target} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${library}_${target} PRIVATE stile_${library} stile_warnings)
  elseif(STILE_TESTS)
    add_executable(replay_${library}_${target} "${source}" "${PROJECT_SOURCE_DIR}/cmake/fuzz_replay_main.cpp")
    target_link_libraries(replay_${library}_${target} PRIVATE stile_${library} stile_warnings)
    set_target_properties(replay_${library}_${target} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    add_test(NAME replay_${library}_${target} COMMAND replay_${library}_${target} "${corpus}")
    set_tests_properties(replay_${library}_${target} PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# The first ```cpp block of README.md must compile and run.
function(stile_readme_example target)
  set(readme "${CMAKE_CURRENT_SOURCE_DIR}/README.md")
  if(NOT EXISTS "${readme}")
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${readme}")
  file(READ "${readme}" text)
  string(FIND "${text}" "```cpp\n" begin)
  if(begin EQUAL -1)
    return()
  endif()
  math(EXPR begin "${begin} + 7")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/readme_example.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "${text}" @ONLY)
  add_executable(${target}_readme_example "${source}")
  target_link_libraries(${target}_readme_example PRIVATE ${target})
  set_target_properties(${target}_readme_example PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${target}_readme_example COMMAND ${target}_readme_example)
  set_tests_properties(${target}_readme_example PROPERTIES LABELS unit TIMEOUT 60)
endfunction()

function(stile_library name)
  cmake_parse_arguments(arg "" "" "DEPENDS;EXTERNAL" ${ARGN})
  set(target stile_${name})
  file(GLOB sources CONFIGURE_DEPENDS src/*.cpp)
  file(GLOB tests CONFIGURE_DEPENDS tests/*.cpp)
  file(GLOB fuzz CONFIGURE_DEPENDS fuzz/*.cpp)
  list(TRANSFORM arg_DEPENDS PREPEND stile_ OUTPUT_VARIABLE depends)

  add_library(${target} STATIC ${sources})
  add_library(stile::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} LINKER_LANGUAGE CXX)
  target_compile_features(${target} PUBLIC cxx_std_23)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PUBLIC ${depends} ${arg_EXTERNAL})
  # Not for users: their build must not fail on a newer compiler's new warning.
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:stile_warnings>)

  file(RELATIVE_PATH place "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  if(place MATCHES "^libs/")
    install(TARGETS ${target} EXPORT stile_${name}_targets
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name})
    install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT ${name})
    install(EXPORT stile_${name}_targets NAMESPACE stile:: FILE stile_${name}_targets.cmake
      DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/stile COMPONENT ${name})
    list(JOIN arg_DEPENDS " " depends_text)
    set(external_text "")
    if("OpenSSL::Crypto" IN_LIST arg_EXTERNAL)
      set(external_text "find_dependency(OpenSSL)")
    endif()
    file(WRITE "${PROJECT_BINARY_DIR}/package/stile_${name}_depends.cmake"
      "set(stile_${name}_depends ${depends_text})\n${external_text}\n")
    install(FILES "${PROJECT_BINARY_DIR}/package/stile_${name}_depends.cmake"
      DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/stile COMPONENT ${name})
    set_property(GLOBAL APPEND PROPERTY STILE_COMPONENTS ${name})
  endif()

  if(STILE_TESTS)
    if(tests)
      stile_test(${target}_tests SOURCES ${tests} LINK ${target})
    endif()
    stile_readme_example(${target})
  endif()
  foreach(source IN LISTS fuzz)
    stile_fuzz_target(${name} "${source}")
  endforeach()
endfunction()

# stile_program(NAME LINK ...): every .cpp of the folder, one executable in bin/.
function(stile_program name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE stile_warnings ${arg_LINK})
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${STILE_RUNTIME_DIR}")
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

function(stile_install_package)
  configure_package_config_file(cmake/stile-config.cmake.in
    "${PROJECT_BINARY_DIR}/package/stile-config.cmake"
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/stile)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/stile-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/package/stile-config.cmake"
    "${PROJECT_BINARY_DIR}/package/stile-config-version.cmake"
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/stile)
endfunction()
