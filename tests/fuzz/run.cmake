# SPDX-License-Identifier: Apache-2.0
# The fixed short run: the kept corpus, then so many inputs from one seed, the same each time.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK} ${CORPUS})
execute_process(COMMAND ${PROGRAM} -runs=30000 -seed=1 -max_len=4096 -rss_limit_mb=2048 -print_final_stats=1
  -artifact_prefix=${WORK}/ ${WORK} ${CORPUS} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${out}\nThe input is in ${WORK}; ./run fuzz-${NAME} FILE runs it again.")
endif()
