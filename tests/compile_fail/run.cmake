# SPDX-License-Identifier: Apache-2.0
# Compiles one file of this folder without making anything and compares what happens with the file's
# own second line: "must compile" or "must not compile: " and words that the compiler's error has.
# cmake -DCOMPILER=... -DFLAGS=a;b -DSOURCE=... -P run.cmake
file(STRINGS ${SOURCE} lines LIMIT_COUNT 2)
list(GET lines 1 promise)
execute_process(COMMAND ${COMPILER} ${FLAGS} -fsyntax-only ${SOURCE}
  RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)

if(promise MATCHES "^// must compile")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "should compile, and does not:\n${out}")
  endif()
elseif(promise MATCHES "^// must not compile: (.+)$")
  set(reason ${CMAKE_MATCH_1})
  if(status EQUAL 0)
    message(FATAL_ERROR "compiles, and should not")
  endif()
  string(FIND "${out}" "${reason}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "fails for another reason than '${reason}':\n${out}")
  endif()
else()
  message(FATAL_ERROR "the second line of ${SOURCE} promises nothing")
endif()
