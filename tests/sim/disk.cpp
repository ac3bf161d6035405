// SPDX-License-Identifier: Apache-2.0
#include "sim/disk.h"

#include <algorithm>

#include "sim/judge.h"
#include "vault/spool_format.h"

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;

}  // namespace

std::string Disk::tear(std::string bytes) {
    bytes.resize(dice_.below(bytes.size() + 1));
    if (!bytes.empty() && dice_.chance(0.5)) {
        bytes[dice_.below(bytes.size())] ^= static_cast<char>(1 + dice_.below(255));
    }
    return bytes;
}

void Disk::begin_file() {
    if (!synced_.empty()) {
        files_.push_back(std::exchange(synced_, {}));
    }
}

void Disk::sync_failed() {
    synced_ += dice_.chance(0.5) ? std::exchange(pending_, {}) : tear(std::exchange(pending_, {}));
    begin_file();
}

void Disk::power_cut() {
    synced_ += tear(std::exchange(pending_, {}));
}

SimSpool::SimSpool(Disk& disk, std::string node, SpoolKeys const& keys,
                   std::shared_ptr<Process> process, Random& random, Faults& faults, Dice& dice,
                   Break broken, Tell tell, std::function<void()> at_door)
    : disk_(disk),
      node_(std::move(node)),
      keys_(keys),
      process_(std::move(process)),
      random_(random),
      faults_(faults),
      dice_(dice),
      broken_(broken),
      tell_(std::move(tell)),
      at_door_(std::move(at_door)) {
    read();
}

void SimSpool::read() {
    disk_.begin_file();
    for (auto const& file : disk_.files()) {
        for (auto const& frame : spool::read_segment(file).frames) {
            next_seq_ = std::max(next_seq_, frame.seq + 1);
            if (frame.note) {
                std::erase_if(unresolved_, [&](auto const& entry) {
                    return entry.seq == frame.note->committed;
                });
                continue;
            }
            auto const& answer = *frame.answer;
            auto opened = spool::open_answer(keys_, node_, answer);
            if (opened) {
                unresolved_.push_back(
                    {frame.seq, answer.identity, answer.received_at, std::move(*opened)});
            }
        }
    }
}

std::vector<std::string> SimSpool::refresh_tokens() const {
    std::vector<std::string> out;
    for (auto const& entry : unresolved_) {
        out.push_back(entry.answer.expose([](std::string_view text) { return refresh_in(text); }));
    }
    return out;
}

Result<std::shared_ptr<Spool::Reservation>> SimSpool::reserve() {
    if (faults_.strikes(Fault::spool_full)) {
        return fail(ErrorCode::spool_full, "The simulated disk is full.");
    }
    return std::shared_ptr<Reservation>();
}

Task<Result<std::uint64_t>> SimSpool::append(std::shared_ptr<Reservation>, SpoolIdentity identity,
                                             Time received_at, Secret answer) {
    if (!process_->alive()) {
        co_await process_->pause(0ms);  // throws: the dead write nothing
    }
    std::uint64_t const seq = next_seq_++;
    std::string const plain =
        answer.expose([](std::string_view text) { return std::string(text); });
    tell_.writing(plain);
    if (has(broken_, Break::no_spool)) {
        tell_.durable(plain);  // as whoever asked believes
        at_door_();
        co_await process_->pause(dice_.between(0ms, 20ms));
        co_return seq;
    }
    auto const frame = spool::seal_answer(keys_.spool_key(), node_, identity, received_at, answer,
                                          random_.bytes(record_nonce_bytes));
    disk_.write(spool::write_frame(seq, frame));
    if (has(broken_, Break::lazy_sync)) {
        tell_.durable(plain);
        at_door_();
        co_await process_->pause(dice_.between(0ms, 20ms));
        co_return seq;
    }
    at_door_();
    co_await process_->pause(dice_.between(0ms, 20ms));
    if (faults_.strikes(Fault::sync_failed)) {
        disk_.sync_failed();
        tell_.failed(plain);
        co_return fail(ErrorCode::spool_full, "The simulated disk did not confirm the write.");
    }
    disk_.sync();
    tell_.durable(plain);
    at_door_();
    co_await process_->pause(dice_.between(0ms, 2ms));
    co_return seq;
}

void SimSpool::committed(std::uint64_t seq, Time) {
    if (process_->alive()) {
        disk_.write(spool::write_frame(next_seq_++, spool::NoteFrame{seq}));
    }
}

void SimSpool::trim(Time) {}

}  // namespace brickgate::sim
