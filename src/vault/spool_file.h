// SPDX-License-Identifier: Apache-2.0
#pragma once
// The files below a spool: preallocated segments, written at their end and synced. Private to
// spool.cpp, which locks. Errors: spool_full, data_folder_invalid.
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brickgate::spool {

std::unexpected<Error> full(std::string_view why);

// Made with mode 0700 where it is absent; refused where it is a link or another user's.
Result<void> prepare_folder(std::filesystem::path const& folder);
// Segments in the order they were written.
Result<std::vector<std::filesystem::path>> list_segments(std::filesystem::path const& folder);
Result<std::string> read_whole(std::filesystem::path const& path);  // a plain file, no link
// Never deleted by us: an operator may still get a token out of it.
void keep_copy_of_damaged(std::filesystem::path const& segment, std::size_t entries);

class SegmentFile {
 public:
    static Result<std::unique_ptr<SegmentFile>> make(std::filesystem::path path, std::size_t bytes);
    ~SegmentFile();
    SegmentFile(SegmentFile const&) = delete;
    SegmentFile& operator=(SegmentFile const&) = delete;

    bool write(std::string_view bytes);  // all or nothing
    bool sync();                         // what was written may be believed in after a true
    std::size_t room() const { return bytes_ - used_; }
    std::filesystem::path const& path() const { return path_; }

 private:
    SegmentFile(std::filesystem::path path, int fd, std::size_t bytes)
        : path_(std::move(path)), fd_(fd), bytes_(bytes) {}
    std::filesystem::path path_;
    int fd_;
    std::size_t bytes_;
    std::size_t used_ = 0;
};

}  // namespace brickgate::spool
