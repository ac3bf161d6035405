// SPDX-License-Identifier: Apache-2.0
#pragma once
// The folder that holds everything of one gateway, held by one process at a time (T70, T80). The
// lock ends with the process. Errors: data_folder_invalid, in_use (the message names the process).
#include <filesystem>
#include <memory>
#include <string>

#include "base/random.h"
#include "base/result.h"

namespace brickgate {

class DataFolder {
 public:
    static Result<std::unique_ptr<DataFolder>> open(std::filesystem::path path, Random& random);
    ~DataFolder();
    DataFolder(DataFolder const&) = delete;
    DataFolder& operator=(DataFolder const&) = delete;

    std::filesystem::path const& path() const { return path_; }
    std::string const& node() const {
        return node_;
    }  // stable over restarts: intents and spool bear it
    std::string const& boot() const { return boot_; }  // new at each start

 private:
    DataFolder() = default;
    std::filesystem::path path_;
    std::string node_;
    std::string boot_;
    int lock_ = -1;
};

}  // namespace brickgate
