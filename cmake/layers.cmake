# SPDX-License-Identifier: Apache-2.0
# One static library for each folder of src/. A PURE layer sees no Asio; the others share one
# precompiled header, which holds Boost and costs its three seconds once.

add_library(brickgate_boost STATIC cmake/boost_impl.cpp)
target_link_libraries(brickgate_boost PUBLIC Boost::json Boost::url OpenSSL::SSL Threads::Threads)
target_precompile_headers(brickgate_boost PRIVATE cmake/pch.h)
# Without it ccache takes a header that was only touched for a changed one.
target_compile_options(brickgate_boost PUBLIC "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")

function(brickgate_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PURE" "" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    add_library(brickgate_${name} INTERFACE)
    target_link_libraries(brickgate_${name} INTERFACE ${arg_LINK})
    return()
  endif()
  add_library(brickgate_${name} STATIC ${sources})
  target_include_directories(brickgate_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(brickgate_${name} PUBLIC Boost::json Boost::url ${arg_LINK} PRIVATE brickgate_flags)
  target_compile_definitions(brickgate_${name} PRIVATE BRICKGATE_VERSION="${PROJECT_VERSION}")
  if(NOT arg_PURE)
    target_link_libraries(brickgate_${name} PUBLIC brickgate_boost)
    target_precompile_headers(brickgate_${name} REUSE_FROM brickgate_boost)
  endif()
endfunction()

# Files that the binary carries: read at build time, found at run time by their path below `folder`.
function(brickgate_assets layer folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*)
  if(NOT files)
    return()
  endif()
  set(out ${CMAKE_BINARY_DIR}/generated/assets.cpp)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR}/${folder} -DOUT=${out} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  add_library(brickgate_assets STATIC ${out})
  target_include_directories(brickgate_assets PUBLIC ${CMAKE_SOURCE_DIR}/src)
  get_target_property(kind brickgate_${layer} TYPE)
  if(kind STREQUAL "INTERFACE_LIBRARY")
    target_link_libraries(brickgate_${layer} INTERFACE brickgate_assets)
  else()
    target_link_libraries(brickgate_${layer} PUBLIC brickgate_assets)
  endif()
endfunction()

# tests/unit/<layer>/*_test.cpp become one program, test_<layer>.
function(brickgate_layer_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${name}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE
    VECTORS="${CMAKE_SOURCE_DIR}/tests/vectors" SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(test_${name} PRIVATE brickgate_${name} brickgate_flags brickgate_boost ${arg_LINK}
    GTest::gtest_main GTest::gmock)
  target_precompile_headers(test_${name} REUSE_FROM brickgate_boost)
  # The shared precompiled header is -fPIC; an executable's own -fPIE would not fit it.
  set_target_properties(test_${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(test_${name} PRIVATE -fPIC)
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}/" DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
endfunction()
