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
    std::uint32_t key = 0;
    Time received_at{};
    std::string frame;
};

class FileSpool final : public Spool {
 public:
    FileSpool(SpoolOptions options, SpoolKeys const& keys, Random& random)
        : options_(std::move(options)),
          keys_(keys),
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
        auto const key = keys_.spool_key();
        auto const frame = spool::seal_answer(key, options_.node, identity, received_at, answer,
                                              random_.bytes(record_nonce_bytes));
        std::uint64_t const seq = next_seq_.fetch_add(1);
        Written entry{seq, key.id, received_at, spool::write_frame(seq, frame)};
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
        close_old_front(now);
        drop_empty_segments();
    }

    std::vector<SpoolEntry> take_unresolved() override {
        std::scoped_lock const lock(ledger_->mutex);
        return std::move(unresolved_);
    }

    std::map<std::uint32_t, std::uint64_t> count_by_key() override {
        std::scoped_lock const lock(ledger_->mutex);
        std::map<std::uint32_t, std::uint64_t> counts;
        for (auto const& [segment, keys] : sealed_) {
            for (auto const& [key, count] : keys) {
                counts[key] += count;
            }
        }
        return counts;
    }

 private:
    struct Open {
        fs::path segment;
        Time received_at{};
        std::optional<Time> committed_at;
    };
    struct Front {  // of the segment that is written to
        std::uint32_t key = 0;
        Time since{};
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
            spool::keep_copy_of_damaged(path, segment.damaged);
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

    void adopt_note(spool::NoteFrame const& note) {
        auto const open = open_.find(note.committed);
        if (open == open_.end()) {
            return;
        }
        // When it was committed is not written down; that was soon after it came.
        open->second.committed_at = open->second.received_at;
        std::erase_if(unresolved_, [&](auto const& entry) { return entry.seq == note.committed; });
    }

    void adopt_answer(spool::Frame const& frame, fs::path const& path) {
        auto const& answer = *frame.answer;
        auto opened = spool::open_answer(keys_, options_.node, answer);
        open_.emplace(frame.seq, Open{path, answer.received_at, std::nullopt});
        sealed_[path][key_id_of_record(answer.record).value_or(0)] += 1;
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
        front_.reset();
        return front;
    }

    // Not at the price of room that was promised.
    bool may_close_front() {
        std::size_t const lost = segments_.front()->room() / spool::frame_bytes_max;
        while (places() < ledger_->reserved + lost) {
            if (!add_segment()) {
                return false;
            }
        }
        return true;
    }

    // Or its entries would stay until it is full. Not while it is being synced.
    void close_old_front(Time now) {
        bool const old = front_ && (now - front_->since >= options_.keep_after_commit ||
                                    front_->key != keys_.spool_key().id);
        if (old && !syncing_ && may_close_front()) {
            retire_front();
        }
    }

    void drop_empty_segments() {
        std::set<fs::path> needed;
        for (auto const& [seq, open] : open_) {
            needed.insert(open.segment);
        }
        std::erase_if(old_segments_, [&](auto const& path) {
            std::error_code ignored;
            return !needed.contains(path) && (fs::remove(path, ignored), sealed_.erase(path), true);
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
        if (front_ && front_->key != entry.key && may_close_front()) {
            filled_.push_back(retire_front());
        }
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
        auto const& path = segments_.front()->path();
        open_[entry.seq] = Open{path, entry.received_at, std::nullopt};
        sealed_[path][entry.key] += 1;
        front_ = front_.value_or(Front{entry.key, entry.received_at});
        return {};
    }

    // Without the lock, which others take on threads that must not wait for a disk: nobody else
    // takes segments away meanwhile.
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
        syncing_ = true;
        lock.unlock();
        auto const failed = sync_all(front);
        lock.lock();
        syncing_ = false;
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
    SpoolKeys const& keys_;
    Random& random_;
    std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();  // its mutex guards all below
    std::deque<std::unique_ptr<spool::SegmentFile>> segments_;     // the first is written to
    std::vector<fs::path> old_segments_;
    std::vector<std::unique_ptr<spool::SegmentFile>> filled_;  // by the batch under way, not synced
    std::optional<Front> front_;                               // nullopt: nothing is in it yet
    bool syncing_ = false;
    std::map<std::uint64_t, Open> open_;
    std::map<fs::path, std::map<std::uint32_t, std::uint64_t>> sealed_;  // answers by key
    std::vector<std::uint64_t> notes_;
    std::vector<SpoolEntry> unresolved_;
    std::uint64_t next_segment_ = 1;
    std::atomic<std::uint64_t> next_seq_ = 1;
    BatchWorker<Written, Result<void>> worker_;
};

}  // namespace

Result<std::unique_ptr<Spool>> open_spool(SpoolOptions options, SpoolKeys const& keys,
                                          Random& random) {
    auto spool = std::make_unique<FileSpool>(std::move(options), keys, random);
    if (auto const recovered = spool->recover(); !recovered) {
        return fail(recovered.error());
    }
    return spool;
}

}  // namespace brickgate
