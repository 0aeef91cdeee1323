# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds COMPONENT alone, installs it into an empty folder, then builds and runs the consumer.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" -G Ninja -S "${SOURCE}" -B "${WORK}/library" -D STILE_LIBRARIES=${COMPONENT}
  -D STILE_PROGRAMS=OFF -D CMAKE_INSTALL_PREFIX=${WORK}/prefix -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
run("${CMAKE_COMMAND}" --build "${WORK}/library")
run("${CMAKE_COMMAND}" --install "${WORK}/library")
run("${CMAKE_COMMAND}" -G Ninja -S "${CMAKE_CURRENT_LIST_DIR}/${COMPONENT}" -B "${WORK}/consumer"
  -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
run("${CMAKE_COMMAND}" --build "${WORK}/consumer")
run("${WORK}/consumer/consumer")
