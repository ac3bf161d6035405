// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the command line's parts have in common. Private to arguments*.cpp.
#include "cli/arguments.h"

namespace brickgate::cli {

inline void add_place(CLI::App* command, Arguments& arguments) {
    command
        ->add_option("--config", arguments.common.config_file,
                     "configuration file (default: brickgate.toml, where there is one)")
        ->type_name("FILE");
    command
        ->add_option("--data", arguments.data, "data folder (default: $XDG_STATE_HOME/brickgate)")
        ->type_name("DIR");
}

inline void add_common(CLI::App* command, Arguments& arguments) {
    add_place(command, arguments);
    command->add_flag("--json", arguments.common.json, "answer in JSON");
}

// An option with a word for its value in the help, instead of TEXT.
template <class T>
CLI::Option* option(CLI::App* command, char const* name, T& value, char const* word,
                    char const* about) {
    return command->add_option(name, value, about)->type_name(word);
}

}  // namespace brickgate::cli
