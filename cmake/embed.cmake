# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=... -DOUT=... -P embed.cmake: writes a C++ file that holds every file below FOLDER.
file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT files)
set(arrays "")
set(rows "")
set(n 0)
foreach(file IN LISTS files)
  file(READ ${FOLDER}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char file_${n}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${file}\", {reinterpret_cast<char const*>(file_${n}), sizeof(file_${n}) - 1}},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUT} "#include \"server/assets.h\"\n#include <array>\n#include <utility>\nnamespace {\n${arrays}
std::array<std::pair<std::string_view, std::string_view>, ${n}> const files{{\n${rows}}};\n}\n
std::optional<std::string_view> brickgate::find_asset(std::string_view path) {
    for (auto const& [name, content] : files)
        if (name == path) return content;
    return std::nullopt;
}\n")
