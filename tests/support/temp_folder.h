// SPDX-License-Identifier: Apache-2.0
#pragma once
// A folder of the test's own (0700), gone with the object.
#include <cstdlib>
#include <filesystem>
#include <string>

namespace brickgate::testing {

class TempFolder {
 public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "brickgate-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            std::abort();
        }
        path_ = std::filesystem::canonical(name);
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(TempFolder const&) = delete;
    TempFolder& operator=(TempFolder const&) = delete;

    std::filesystem::path const& path() const { return path_; }
    std::filesystem::path operator/(std::string const& name) const { return path_ / name; }

 private:
    std::filesystem::path path_;
};

}  // namespace brickgate::testing
