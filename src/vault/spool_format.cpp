// SPDX-License-Identifier: Apache-2.0
#include "vault/spool_format.h"

#include <boost/crc.hpp>

namespace brickgate::spool {

namespace {

enum Type : char { answer_type = 1, note_type = 2 };

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) {
        out += static_cast<char>(value >> (8 * i) & 0xFF);
    }
}

void put_text(std::string& out, std::string_view text) {
    put(out, text.size(), 4);
    out += text;
}

class Reader {
 public:
    explicit Reader(std::string_view rest) : rest_(rest) {}
    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (char const c : take(bytes)) {
            value = value << 8 | static_cast<unsigned char>(c);
        }
        return value;
    }
    std::string text() { return std::string(take(number(4))); }
    std::string_view take(std::size_t bytes) {
        if (bytes > rest_.size()) {
            good_ = false;
            bytes = rest_.size();
        }
        auto const taken = rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        return taken;
    }
    bool finished() const { return good_ && rest_.empty(); }

 private:
    std::string_view rest_;
    bool good_ = true;
};

std::uint32_t crc32c(std::uint64_t seq, std::string_view payload) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    std::string number;
    put(number, seq, 8);
    crc.process_bytes(number.data(), number.size());
    crc.process_bytes(payload.data(), payload.size());
    return crc.checksum();
}

std::string framed(std::uint64_t seq, std::string const& payload) {
    std::string out;
    put(out, payload.size(), 4);
    put(out, seq, 8);
    put(out, crc32c(seq, payload), 4);
    return out + payload;
}

std::optional<Frame> read_payload(std::uint64_t seq, std::string_view payload) {
    Reader in(payload);
    Frame frame;
    frame.seq = seq;
    auto const type = static_cast<char>(in.number(1));
    if (type == note_type) {
        frame.note = NoteFrame{in.number(8)};
    } else if (type == answer_type) {
        AnswerFrame answer;
        answer.identity.kind = static_cast<SpoolKind>(in.number(1));
        answer.identity.connection = in.text();
        answer.identity.family = in.number(8);
        answer.identity.generation = in.number(8);
        answer.identity.attempt = in.text();
        answer.received_at = time_from_ms(static_cast<std::int64_t>(in.number(8)));
        answer.record = in.text();
        frame.answer = std::move(answer);
    } else {
        return std::nullopt;
    }
    if (!in.finished()) {
        return std::nullopt;
    }
    return frame;
}

}  // namespace

std::string write_frame(std::uint64_t seq, AnswerFrame const& answer) {
    std::string payload(1, answer_type);
    put(payload, static_cast<std::uint64_t>(answer.identity.kind), 1);
    put_text(payload, answer.identity.connection);
    put(payload, answer.identity.family, 8);
    put(payload, answer.identity.generation, 8);
    put_text(payload, answer.identity.attempt);
    put(payload, static_cast<std::uint64_t>(to_ms(answer.received_at)), 8);
    put_text(payload, answer.record);
    return framed(seq, payload);
}

std::string write_frame(std::uint64_t seq, NoteFrame const& note) {
    std::string payload(1, note_type);
    put(payload, note.committed, 8);
    return framed(seq, payload);
}

Segment read_segment(std::string_view bytes) {
    Segment out;
    std::size_t doubtful = 0;  // damaged, unless nothing whole follows
    std::size_t const size_before = bytes.size();
    while (bytes.size() >= frame_head_bytes) {
        Reader head(bytes.substr(0, frame_head_bytes));
        std::uint64_t const size = head.number(4);
        std::uint64_t const seq = head.number(8);
        std::uint64_t const crc = head.number(4);
        if (size == 0 || size > frame_bytes_max || size > bytes.size() - frame_head_bytes) {
            break;
        }
        auto const payload = bytes.substr(frame_head_bytes, size);
        auto frame = crc32c(seq, payload) == crc ? read_payload(seq, payload) : std::nullopt;
        if (frame) {
            out.frames.push_back(std::move(*frame));
            out.damaged += std::exchange(doubtful, 0);
        } else {
            doubtful += 1;
        }
        bytes.remove_prefix(frame_head_bytes + size);
        if (doubtful == 0) {
            out.used = size_before - bytes.size();
        }
    }
    out.torn = doubtful > 0 || bytes.find_first_not_of('\0') != std::string_view::npos;
    return out;
}

AssociatedData place_of(std::string const& node, SpoolIdentity const& identity, Time received_at) {
    AssociatedData out("brickgate/spool/v1");
    out.field(node)
        .number(static_cast<std::uint64_t>(identity.kind))
        .field(identity.connection)
        .number(identity.family)
        .number(identity.generation)
        .field(identity.attempt)
        .number(static_cast<std::uint64_t>(to_ms(received_at)));
    return out;
}

AnswerFrame seal_answer(SpoolKeys::SpoolKey const& key, std::string const& node,
                        SpoolIdentity const& identity, Time received_at, Secret const& answer,
                        std::string_view nonce) {
    return {identity, received_at,
            seal_record(SealedKind::spool_response, answer, key.id, key.key, nonce,
                        place_of(node, identity, received_at))};
}

Result<Secret> open_answer(SpoolKeys const& keys, std::string const& node,
                           AnswerFrame const& answer) {
    auto const id = key_id_of_record(answer.record);
    auto const key = id ? keys.find_spool_key(*id) : std::nullopt;
    if (!key) {
        return bad_record();
    }
    return open_record(SealedKind::spool_response, answer.record, *key,
                       place_of(node, answer.identity, answer.received_at));
}

}  // namespace brickgate::spool
