# SPDX-License-Identifier: Apache-2.0
# Clang 19 is the compiler; GCC before 14 destroys temporaries twice in statements that hold a co_await
# (docs/adr/0003), so it is refused rather than trusted.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines: "
    "install clang-19 (on Debian 12: ./run deps) and configure with -DCMAKE_CXX_COMPILER=clang++-19.")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Clang ${CMAKE_CXX_COMPILER_VERSION} is too old: "
    "install clang-19 (on Debian 12: ./run deps) and configure with -DCMAKE_CXX_COMPILER=clang++-19.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(BRICKGATE_TESTS "build the tests" ON)
option(BRICKGATE_FAILPOINTS "compile the crash points in: test builds only" OFF)
set(BRICKGATE_SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread")

add_library(brickgate_flags INTERFACE)
target_compile_options(brickgate_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
# These change how Boost is compiled, so every target must see them or the one-definition rule is broken.
add_compile_definitions(
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_COROUTINE
  # A proxied call is some twenty coroutines deep; their frames are to be used again, not freed.
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=32)
add_compile_definitions($<$<BOOL:${BRICKGATE_FAILPOINTS}>:BRICKGATE_FAILPOINTS>)
add_compile_options(-fno-omit-frame-pointer -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-fcf-protection)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_GLIBCXX_ASSERTIONS _FORTIFY_SOURCE=2)
endif()
add_link_options(-fuse-ld=lld -Wl,-z,relro,-z,now -pie)
if(BRICKGATE_SANITIZE)
  add_compile_options(-fsanitize=${BRICKGATE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BRICKGATE_SANITIZE})
endif()
