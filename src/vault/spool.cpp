// SPDX-License-Identifier: Apache-2.0
#include "vault/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <set>

#include "base/failpoint.h"
#include "base/log.h"
#include "net/worker_thread.h"
#include "vault/spool_format.h"

namespace brickgate {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t queue_max = 4096;

std::unexpected<Error> full(std::string_view why) {
    return fail(Error(ErrorCode::spool_full, "There is no room to keep a new token safe.")
                    .with_detail(why));
}

std::string read_file(fs::path const& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// One preallocated file; the newest is written to.
class SegmentFile {
 public:
    static Result<std::unique_ptr<SegmentFile>> make(fs::path path, std::size_t bytes) {
        int const fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) {
            return full("the segment file cannot be made");
        }
        // Space that is promised before a claim must really be there when the answer comes.
        if (posix_fallocate(fd, 0, static_cast<off_t>(bytes)) != 0 || fsync(fd) != 0) {
            close(fd);
            unlink(path.c_str());
            return full("the disk is full");
        }
        sync_folder(path.parent_path());
        return std::unique_ptr<SegmentFile>(new SegmentFile(std::move(path), fd, bytes));
    }
    ~SegmentFile() { close(fd_); }
    SegmentFile(SegmentFile const&) = delete;
    SegmentFile& operator=(SegmentFile const&) = delete;

    bool write(std::string_view bytes) {
        ssize_t const done = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(used_));
        if (done != static_cast<ssize_t>(bytes.size())) {
            return false;
        }
        used_ += bytes.size();
        return true;
    }
    bool sync() { return fdatasync(fd_) == 0; }
    std::size_t room() const { return bytes_ - used_; }
    fs::path const& path() const { return path_; }

 private:
    SegmentFile(fs::path path, int fd, std::size_t bytes)
        : path_(std::move(path)), fd_(fd), bytes_(bytes) {}
    static void sync_folder(fs::path const& folder) {
        int const fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
    }
    fs::path path_;
    int fd_;
    std::size_t bytes_;
    std::size_t used_ = 0;
};

}  // namespace

class Spool::Reservation {
 public:
    explicit Reservation(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
    ~Reservation() { give_back_(); }
    Reservation(Reservation const&) = delete;
    Reservation& operator=(Reservation const&) = delete;

 private:
    std::function<void()> give_back_;
};

namespace {

class FileSpool final : public Spool {
 public:
    FileSpool(SpoolOptions options, Secret key, Random& random)
        : options_(std::move(options)),
          key_(std::move(key)),
          random_(random),
          worker_("spool", queue_max,
                  [this](std::vector<std::string> frames) { return write_all(frames); }) {}

    ~FileSpool() override {
        worker_.stop();
        std::scoped_lock const lock(mutex_);
        (void)flush_notes();
    }

    Result<void> open_folder() {
        std::error_code ec;
        fs::create_directories(options_.folder, ec);
        chmod(options_.folder.c_str(), 0700);
        std::vector<fs::path> found;
        for (auto const& entry : fs::directory_iterator(options_.folder, ec)) {
            if (entry.path().extension() == ".segment") {
                found.push_back(entry.path());
            }
        }
        if (ec) {
            return fail(ErrorCode::data_folder_invalid, "The spool folder cannot be read.");
        }
        std::ranges::sort(found);
        for (auto const& path : found) {
            adopt(path);
        }
        drop_settled();
        return roll();
    }

    Result<std::shared_ptr<Reservation>> reserve() override {
        std::scoped_lock const lock(mutex_);
        std::size_t const needed = (reserved_ + 1) * spool::frame_bytes_max;
        if (!current_ || current_->room() < needed) {
            if (auto const rolled = roll(); !rolled) {
                return fail(rolled.error());
            }
        }
        reserved_ += 1;
        return std::make_shared<Reservation>([this] {
            std::scoped_lock const inner(mutex_);
            reserved_ -= 1;
        });
    }

    Task<Result<std::uint64_t>> append(std::shared_ptr<Reservation> room, SpoolIdentity identity,
                                       Time received_at, Secret answer) override {
        std::uint64_t const seq = next_seq_.fetch_add(1);
        spool::AnswerFrame frame{identity, received_at, {}};
        frame.record = key_.expose([&](std::string_view key) {
            return seal_record(SealedKind::spool_response, answer, 0,
                               reinterpret_cast<unsigned char const*>(key.data()),
                               random_.bytes(record_nonce_bytes),
                               spool::place_of(options_.node, identity));
        });
        std::string bytes = spool::write_frame(seq, frame);
        if (bytes.size() > spool::frame_bytes_max) {
            co_return fail(ErrorCode::spool_full, "The answer is too large to keep.");
        }
        {
            std::scoped_lock const lock(mutex_);
            open_.emplace(seq, Open{});
        }
        auto written = co_await worker_.submit(std::move(bytes));
        room.reset();
        if (!written) {
            co_return fail(std::move(written.error()));
        }
        if (!*written) {
            co_return fail(std::move(written->error()));
        }
        failpoint("K9");
        co_return seq;
    }

    void committed(std::uint64_t seq, Time now) override {
        std::scoped_lock const lock(mutex_);
        auto const found = open_.find(seq);
        if (found == open_.end() || found->second.committed_at) {
            return;
        }
        found->second.committed_at = now;
        notes_.push_back(seq);
    }

    void trim(Time now) override {
        std::scoped_lock const lock(mutex_);
        (void)flush_notes();
        std::set<fs::path> needed;
        std::erase_if(open_, [&](auto const& entry) {
            auto const& open = entry.second;
            bool const over =
                open.committed_at && now - *open.committed_at >= options_.keep_after_commit;
            if (!over) {
                needed.insert(open.segment);
            }
            return over;
        });
        std::erase_if(old_segments_, [&](auto const& path) {
            if (needed.contains(path)) {
                return false;
            }
            std::error_code ignored;
            fs::remove(path, ignored);
            return true;
        });
    }

    std::vector<SpoolEntry> take_unresolved() override { return std::move(unresolved_); }

 private:
    struct Open {
        fs::path segment;
        std::optional<Time> committed_at;
    };

    void adopt(fs::path const& path) {
        auto const segment = spool::read_segment(read_file(path));
        if (segment.torn) {
            log(LogLevel::warning, "spool_torn",
                "The last entry of a spool segment was cut off by a crash; what came before is "
                "whole.",
                {{"file", path.filename().string()}});
        }
        for (auto const& frame : segment.frames) {
            next_seq_ = std::max(next_seq_.load(), frame.seq + 1);
            if (frame.note) {
                open_.erase(frame.note->committed);
                std::erase_if(unresolved_, [&](auto const& entry) {
                    return entry.seq == frame.note->committed;
                });
            } else {
                adopt_answer(frame, path);
            }
        }
        old_segments_.push_back(path);
        auto const number = std::stoull("0" + path.stem().string());
        next_segment_ = std::max(next_segment_, static_cast<std::uint64_t>(number) + 1);
    }

    void adopt_answer(spool::Frame const& frame, fs::path const& path) {
        auto opened = key_.expose([&](std::string_view key) {
            return open_record(SealedKind::spool_response, frame.answer->record,
                               reinterpret_cast<unsigned char const*>(key.data()),
                               spool::place_of(options_.node, frame.answer->identity));
        });
        open_.emplace(frame.seq, Open{path, std::nullopt});
        if (!opened) {
            log(LogLevel::error, "spool_damaged",
                "A spool entry does not open; it is left where it is.",
                {{"file", path.filename().string()},
                 {"connection", frame.answer->identity.connection}});
            return;
        }
        unresolved_.push_back(
            {frame.seq, frame.answer->identity, frame.answer->received_at, std::move(*opened)});
    }

    void drop_settled() {
        std::set<fs::path> needed;
        for (auto const& [seq, open] : open_) {
            needed.insert(open.segment);
        }
        std::erase_if(old_segments_, [&](auto const& path) {
            if (needed.contains(path)) {
                return false;
            }
            std::error_code ignored;
            fs::remove(path, ignored);
            return true;
        });
    }

    Result<void> roll() {
        auto const name = fmt::format("{:020}.segment", next_segment_);
        auto made = SegmentFile::make(options_.folder / name, options_.segment_bytes);
        if (!made) {
            return fail(made.error());
        }
        next_segment_ += 1;
        if (current_) {
            old_segments_.push_back(current_->path());
        }
        current_ = std::move(*made);
        return {};
    }

    bool flush_notes() {
        for (auto const seq : notes_) {
            auto const frame = spool::write_frame(next_seq_.fetch_add(1), spool::NoteFrame{seq});
            // A note that does not fit is not needed: the database says the same when it is asked.
            if (current_ && current_->room() >= frame.size() + reserved_ * spool::frame_bytes_max) {
                (void)current_->write(frame);
            }
        }
        notes_.clear();
        return true;
    }

    std::vector<Result<void>> write_all(std::vector<std::string> const& frames) {
        std::scoped_lock const lock(mutex_);
        std::vector<Result<void>> results;
        for (auto const& frame : frames) {
            bool const written = current_->write(frame);
            results.push_back(written ? Result<void>{}
                                      : Result<void>(full("the segment could not be written")));
            auto const parsed = spool::read_segment(frame);
            if (!parsed.frames.empty()) {
                open_[parsed.frames.front().seq].segment = current_->path();
            }
        }
        (void)flush_notes();
        if (!current_->sync()) {
            // After a failed sync nothing is known of what reached the disk, so a new file is
            // begun.
            (void)roll();
            return std::vector<Result<void>>(frames.size(),
                                             full("the disk did not confirm the write"));
        }
        return results;
    }

    SpoolOptions options_;
    Secret key_;
    Random& random_;
    std::mutex mutex_;
    std::unique_ptr<SegmentFile> current_;
    std::vector<fs::path> old_segments_;
    std::map<std::uint64_t, Open> open_;
    std::vector<std::uint64_t> notes_;
    std::vector<SpoolEntry> unresolved_;
    std::size_t reserved_ = 0;
    std::uint64_t next_segment_ = 1;
    std::atomic<std::uint64_t> next_seq_ = 1;
    BatchWorker<std::string, Result<void>> worker_;
};

}  // namespace

Result<std::unique_ptr<Spool>> open_spool(SpoolOptions options, Secret k_spool, Random& random) {
    auto spool = std::make_unique<FileSpool>(std::move(options), std::move(k_spool), random);
    if (auto const opened = spool->open_folder(); !opened) {
        return fail(opened.error());
    }
    return spool;
}

}  // namespace brickgate
