// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small things that several commands need: ports, words for a person at a terminal, JSON fields.
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"

namespace brickgate::cli {

// The text under a key; empty where there is none.
std::string text_at(json::object const& object, std::string_view key);

// Nobody listens on this port of localhost, by either of its addresses.
bool port_is_free(int port);
int free_port();
int port_number(std::string_view address);  // of ADDR:PORT; 0 where there is none

// Over SSH: the command for the person's own machine that brings these ports there. Else empty.
std::string ssh_line(std::vector<int> const& ports);

// The script that called this program, as the person typed it: ./run. Empty: it was called
// directly.
std::string calling_script();

// How this program is called from where the person stands: ./run brickgate, brickgate, a path.
std::string command_name(std::string const& program);

// A hint with `brickgate login` and the like as the person can type it.
std::string as_typed(std::string_view hint);

// While it lives, nothing that goes to `stream` steers the terminal: what a workspace, a file or a
// caller said may be part of any sentence (T24). Line breaks stay.
class CleanStream {
 public:
    explicit CleanStream(std::ostream& stream);
    ~CleanStream();
    CleanStream(CleanStream const&) = delete;
    CleanStream& operator=(CleanStream const&) = delete;

 private:
    class Filter;
    std::ostream& stream_;
    std::unique_ptr<Filter> filter_;
    std::streambuf* before_;
};

// One word of a command line to copy, in quotes where a shell needs them.
std::string shell_word(std::string const& word);

}  // namespace brickgate::cli
