// SPDX-License-Identifier: Apache-2.0
#include "vault/spool.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "base/failpoint.h"
#include "base/log.h"
#include "net/worker_thread.h"
#include "vault/spool_file.h"
#include "vault/spool_format.h"

namespace brickgate {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t queue_max = 4096;  // answers waiting for one sync

struct Ledger {  // outlives the spool as long as a reservation does
    std::mutex mutex;
    std::size_t reserved = 0;
};

}  // namespace

class Spool::Reservation {
 public:
    explicit Reservation(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}
    ~Reservation() {
        std::scoped_lock const lock(ledger_->mutex);
        ledger_->reserved -= 1;
    }
    Reservation(Reservation const&) = delete;
    Reservation& operator=(Reservation const&) = delete;

 private:
    std::shared_ptr<Ledger> ledger_;
};

namespace {

struct Written {
    std::uint64_t seq = 0;
    std::string frame;
};

class FileSpool final : public Spool {
 public:
    FileSpool(SpoolOptions options, Secret key, Random& random)
        : options_(std::move(options)),
          key_(std::move(key)),
          random_(random),
          worker_("spool", queue_max,
                  [this](std::vector<Written> batch) { return write_all(std::move(batch)); }) {
        options_.segment_bytes = std::max(options_.segment_bytes, spool::frame_bytes_max);
    }

    ~FileSpool() override {
        worker_.stop();
        std::scoped_lock const lock(ledger_->mutex);
        flush_notes();
    }

    Result<void> recover() {
        if (auto const prepared = spool::prepare_folder(options_.folder); !prepared) {
            return prepared;
        }
        auto const segments = spool::list_segments(options_.folder);
        if (!segments) {
            return fail(segments.error());
        }
        for (auto const& path : *segments) {
            if (auto const adopted = adopt(path); !adopted) {
                return adopted;
            }
        }
        std::ranges::sort(unresolved_, {}, &SpoolEntry::seq);
        drop_empty_segments();
        return {};
    }

    Result<std::shared_ptr<Reservation>> reserve() override {
        std::scoped_lock const lock(ledger_->mutex);
        while (places() < ledger_->reserved + 1) {
            if (auto const added = add_segment(); !added) {
                return fail(added.error());
            }
        }
        ledger_->reserved += 1;
        return std::make_shared<Reservation>(ledger_);
    }

    Task<Result<std::uint64_t>> append(std::shared_ptr<Reservation> room, SpoolIdentity identity,
                                       Time received_at, Secret answer) override {
        spool::AnswerFrame frame{identity, received_at, {}};
        auto const place = spool::place_of(options_.node, identity, received_at);
        frame.record = key_.expose([&](std::string_view key) {
            return seal_record(SealedKind::spool_response, answer, 0,
                               reinterpret_cast<unsigned char const*>(key.data()),
                               random_.bytes(record_nonce_bytes), place);
        });
        std::uint64_t const seq = next_seq_.fetch_add(1);
        Written entry{seq, spool::write_frame(seq, frame)};
        if (entry.frame.size() > spool::frame_bytes_max) {
            co_return fail(ErrorCode::spool_full, "The answer is too large to keep.");
        }
        auto written = co_await worker_.submit(std::move(entry));
        if (!written) {
            co_return fail(std::move(written.error()));
        }
        if (!*written) {
            co_return fail(std::move(written->error()));
        }
        failpoint("K9");
        room.reset();
        co_return seq;
    }

    void committed(std::uint64_t seq, Time now) override {
        std::scoped_lock const lock(ledger_->mutex);
        auto const found = open_.find(seq);
        if (found == open_.end() || found->second.committed_at) {
            return;
        }
        found->second.committed_at = now;
        notes_.push_back(seq);
    }

    void trim(Time now) override {
        std::scoped_lock const lock(ledger_->mutex);
        flush_notes();
        std::erase_if(open_, [&](auto const& entry) {
            auto const& committed_at = entry.second.committed_at;
            return committed_at && now - *committed_at >= options_.keep_after_commit;
        });
        drop_empty_segments();
    }

    std::vector<SpoolEntry> take_unresolved() override {
        std::scoped_lock const lock(ledger_->mutex);
        return std::move(unresolved_);
    }

 private:
    struct Open {
        fs::path segment;
        std::optional<Time> committed_at;
    };

    Result<void> adopt(fs::path path) {
        auto const bytes = spool::read_whole(path);
        if (!bytes) {
            return fail(bytes.error());
        }
        auto const name = path.stem().string();
        std::uint64_t number = 0;
        std::from_chars(name.data(), name.data() + name.size(), number);
        next_segment_ = std::max(next_segment_, number + 1);
        auto const segment = spool::read_segment(*bytes);
        if (segment.torn) {
            log(LogLevel::warning, "spool_torn",
                "The end of a spool segment was cut off by a crash; what came before is whole.",
                {{"file", name}});
        }
        if (segment.damaged > 0) {
            path = set_aside(path, segment.damaged);
        } else if (!segment.torn) {
            // Nothing is added to it any more: what was promised room is given back, or every
            // restart would cost a whole segment of disk, and of reading at the next one.
            std::error_code ignored;
            fs::resize_file(path, segment.used, ignored);
        }
        for (auto const& frame : segment.frames) {
            next_seq_ = std::max(next_seq_.load(), frame.seq + 1);
            if (frame.note) {
                adopt_note(*frame.note);
            } else {
                adopt_answer(frame, path);
            }
        }
        old_segments_.push_back(path);
        return {};
    }

    // Never deleted by us: an operator may still get a token out of it.
    static fs::path set_aside(fs::path const& path, std::size_t damaged) {
        fs::path kept = path;
        kept.replace_extension(".damaged");
        std::error_code ec;
        fs::copy_file(path, kept, fs::copy_options::skip_existing, ec);
        log(LogLevel::error, "spool_damaged",
            "A spool segment has entries that are not as they were written; a copy is kept.",
            {{"file", kept.filename().string()}, {"entries", damaged}});
        return path;
    }

    void adopt_note(spool::NoteFrame const& note) {
        auto const open = open_.find(note.committed);
        if (open == open_.end()) {
            return;
        }
        auto const entry = std::ranges::find(unresolved_, note.committed, &SpoolEntry::seq);
        if (entry == unresolved_.end()) {
            return;
        }
        // When it was committed is not written down; that was soon after it came.
        open->second.committed_at = entry->received_at;
        unresolved_.erase(entry);
    }

    void adopt_answer(spool::Frame const& frame, fs::path const& path) {
        auto const& answer = *frame.answer;
        auto const place = spool::place_of(options_.node, answer.identity, answer.received_at);
        auto opened = key_.expose([&](std::string_view key) {
            return open_record(SealedKind::spool_response, answer.record,
                               reinterpret_cast<unsigned char const*>(key.data()), place);
        });
        open_.emplace(frame.seq, Open{path, std::nullopt});
        if (!opened) {
            log(LogLevel::error, "spool_sealed",
                "A spool entry does not open; it is left where it is.",
                {{"file", path.filename().string()}, {"connection", answer.identity.connection}});
            return;
        }
        unresolved_.push_back({frame.seq, answer.identity, answer.received_at, std::move(*opened)});
    }

    // Answers of the largest size that certainly fit.
    std::size_t places() const {
        std::size_t count = 0;
        for (auto const& segment : segments_) {
            count += segment->room() / spool::frame_bytes_max;
        }
        return count;
    }

    Result<void> add_segment() {
        auto const name = fmt::format("{:016}.segment", next_segment_);
        auto made = spool::SegmentFile::make(options_.folder / name, options_.segment_bytes);
        if (!made) {
            return fail(made.error());
        }
        next_segment_ += 1;
        segments_.push_back(std::move(*made));
        return {};
    }

    std::unique_ptr<spool::SegmentFile> retire_front() {
        auto front = std::move(segments_.front());
        segments_.pop_front();
        old_segments_.push_back(front->path());
        return front;
    }

    void drop_empty_segments() {
        std::set<fs::path> needed;
        for (auto const& [seq, open] : open_) {
            needed.insert(open.segment);
        }
        std::erase_if(old_segments_, [&](auto const& path) {
            std::error_code ignored;
            return !needed.contains(path) && (fs::remove(path, ignored), true);
        });
    }

    // A note that does not fit is not needed: the database says the same when it is asked.
    void flush_notes() {
        for (auto const seq : notes_) {
            auto const frame = spool::write_frame(next_seq_.fetch_add(1), spool::NoteFrame{seq});
            if (segments_.empty() || segments_.front()->room() < frame.size()) {
                continue;
            }
            std::size_t const room = segments_.front()->room();
            std::size_t const lost =
                room / spool::frame_bytes_max - (room - frame.size()) / spool::frame_bytes_max;
            if (places() >= ledger_->reserved + lost) {
                (void)segments_.front()->write(frame);
            }
        }
        notes_.clear();
    }

    Result<void> write_one(Written const& entry) {
        while (!segments_.empty() && segments_.front()->room() < entry.frame.size()) {
            filled_.push_back(retire_front());
        }
        if (segments_.empty()) {
            if (auto const added = add_segment(); !added) {
                return added;
            }
        }
        if (!segments_.front()->write(entry.frame)) {
            return spool::full("the segment could not be written");
        }
        open_[entry.seq] = Open{segments_.front()->path(), std::nullopt};
        return {};
    }

    // Without the lock, which others take on threads that must not wait for a disk: only this
    // thread takes segments away.
    std::set<fs::path> sync_all(spool::SegmentFile* front) {
        std::set<fs::path> failed;
        for (auto const& segment : filled_) {
            if (!segment->sync()) {
                failed.insert(segment->path());
            }
        }
        if (front && !front->sync()) {
            failed.insert(front->path());
        }
        return failed;
    }

    std::vector<Result<void>> write_all(std::vector<Written> batch) {
        std::unique_lock lock(ledger_->mutex);
        std::vector<Result<void>> results;
        for (auto const& entry : batch) {
            results.push_back(write_one(entry));
        }
        flush_notes();
        auto* const front = segments_.empty() ? nullptr : segments_.front().get();
        lock.unlock();
        auto const failed = sync_all(front);
        lock.lock();
        filled_.clear();
        // After a failed sync nothing is known of what reached the disk, and a second sync of the
        // same file may lie: it is never written to again.
        if (front && failed.contains(front->path())) {
            retire_front();
        }
        for (std::size_t i = 0; i < batch.size(); ++i) {
            auto const open = open_.find(batch[i].seq);
            if (open != open_.end() && failed.contains(open->second.segment)) {
                open_.erase(open);
                results[i] = spool::full("the disk did not confirm the write");
            }
        }
        return results;
    }

    SpoolOptions options_;
    Secret key_;
    Random& random_;
    std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();  // its mutex guards all below
    std::deque<std::unique_ptr<spool::SegmentFile>> segments_;     // the first is written to
    std::vector<fs::path> old_segments_;
    std::vector<std::unique_ptr<spool::SegmentFile>> filled_;  // by the batch under way, not synced
    std::map<std::uint64_t, Open> open_;
    std::vector<std::uint64_t> notes_;
    std::vector<SpoolEntry> unresolved_;
    std::uint64_t next_segment_ = 1;
    std::atomic<std::uint64_t> next_seq_ = 1;
    BatchWorker<Written, Result<void>> worker_;
};

}  // namespace

Result<std::unique_ptr<Spool>> open_spool(SpoolOptions options, Secret k_spool, Random& random) {
    auto spool = std::make_unique<FileSpool>(std::move(options), std::move(k_spool), random);
    if (auto const recovered = spool->recover(); !recovered) {
        return fail(recovered.error());
    }
    return spool;
}

}  // namespace brickgate
