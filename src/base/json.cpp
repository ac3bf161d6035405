// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <unordered_set>
#include <vector>

namespace brickgate {

namespace {

// boost::json::parse keeps the last of two equal keys without a word, so the value is built here,
// by a handler that has seen every key.
class Builder {
 public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    explicit Builder(JsonLimits const& limits) : limits_(limits) {}

    bool on_document_begin(boost::system::error_code&) { return true; }
    bool on_document_end(boost::system::error_code&) { return true; }
    bool on_object_begin(boost::system::error_code& ec) {
        return open(json::value(json::object_kind), ec);
    }
    bool on_object_end(std::size_t, boost::system::error_code&) { return close(); }
    bool on_array_begin(boost::system::error_code& ec) {
        return open(json::value(json::array_kind), ec);
    }
    bool on_array_end(std::size_t, boost::system::error_code&) { return close(); }

    bool on_key_part(json::string_view part, std::size_t size, boost::system::error_code& ec) {
        return append(part, size, ec);
    }
    bool on_key(json::string_view part, std::size_t size, boost::system::error_code& ec) {
        if (!append(part, size, ec)) {
            return false;
        }
        if (!levels_.back().keys.insert(text_).second) {
            return refuse(JsonFault::duplicate_key, ec);
        }
        levels_.back().key = std::move(text_);
        text_.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t size, boost::system::error_code& ec) {
        return append(part, size, ec);
    }
    bool on_string(json::string_view part, std::size_t size, boost::system::error_code& ec) {
        if (!append(part, size, ec)) {
            return false;
        }
        bool const added = add(json::value(json::string(text_)), ec);
        text_.clear();
        return added;
    }
    bool on_number_part(json::string_view, boost::system::error_code&) { return true; }
    bool on_int64(std::int64_t value, json::string_view, boost::system::error_code& ec) {
        return add(value, ec);
    }
    bool on_uint64(std::uint64_t value, json::string_view, boost::system::error_code& ec) {
        return add(value, ec);
    }
    bool on_double(double value, json::string_view, boost::system::error_code& ec) {
        return add(value, ec);
    }
    bool on_bool(bool value, boost::system::error_code& ec) { return add(value, ec); }
    bool on_null(boost::system::error_code& ec) { return add(nullptr, ec); }
    bool on_comment_part(json::string_view, boost::system::error_code&) { return true; }
    bool on_comment(json::string_view, boost::system::error_code&) { return true; }

    json::value take() { return std::move(root_); }
    JsonFault fault() const { return fault_; }

 private:
    struct Level {
        json::value value;
        std::string key;
        std::unordered_set<std::string> keys;
    };

    bool refuse(JsonFault fault, boost::system::error_code& ec) {
        fault_ = fault;
        ec = json::error::too_deep;
        return false;
    }
    bool open(json::value value, boost::system::error_code& ec) {
        if (levels_.size() >= limits_.depth_max) {
            return refuse(JsonFault::too_deep, ec);
        }
        if (++nodes_ > limits_.nodes_max) {
            return refuse(JsonFault::too_many_nodes, ec);
        }
        levels_.push_back({std::move(value), {}, {}});
        return true;
    }
    bool close() {
        json::value done = std::move(levels_.back().value);
        levels_.pop_back();
        place(std::move(done));
        return true;
    }
    bool add(json::value value, boost::system::error_code& ec) {
        if (++nodes_ > limits_.nodes_max) {
            return refuse(JsonFault::too_many_nodes, ec);
        }
        place(std::move(value));
        return true;
    }
    void place(json::value value) {
        if (levels_.empty()) {
            root_ = std::move(value);
        } else if (auto& level = levels_.back(); level.value.is_object()) {
            level.value.get_object().emplace(level.key, std::move(value));
        } else {
            level.value.get_array().push_back(std::move(value));
        }
    }
    bool append(json::string_view part, std::size_t size, boost::system::error_code& ec) {
        if (size > limits_.string_bytes_max) {
            return refuse(JsonFault::string_too_long, ec);
        }
        text_.append(part.data(), part.size());
        return true;
    }

    JsonLimits limits_;
    JsonFault fault_ = JsonFault::syntax;
    json::value root_;
    std::vector<Level> levels_;
    std::string text_;
    std::size_t nodes_ = 0;
};

template <class T>
T const* member(json::object const& object, std::string_view key,
                T const* (json::value::*get)() const noexcept) {
    auto const* const found = object.if_contains(key);
    return found ? (found->*get)() : nullptr;
}

}  // namespace

std::expected<json::value, JsonFault> parse_json(std::string_view text, JsonLimits const& limits) {
    json::parse_options options;
    options.max_depth =
        limits.depth_max + 1;  // the builder's limit is reached first and has a name
    json::basic_parser<Builder> parser(options, limits);
    boost::system::error_code ec;
    std::size_t const read = parser.write_some(false, text.data(), text.size(), ec);
    if (ec || read != text.size() || !parser.done()) {
        return std::unexpected(parser.handler().fault());
    }
    return parser.handler().take();
}

std::optional<std::string_view> string_at(json::object const& object, std::string_view key) {
    auto const* const text = member(object, key, &json::value::if_string);
    if (!text) {
        return std::nullopt;
    }
    return std::string_view(text->data(), text->size());
}

std::optional<std::int64_t> integer_at(json::object const& object, std::string_view key) {
    auto const* const value = object.if_contains(key);
    if (!value) {
        return std::nullopt;
    }
    if (auto const* number = value->if_int64()) {
        return *number;
    }
    if (auto const* number = value->if_uint64(); number && *number <= INT64_MAX) {
        return static_cast<std::int64_t>(*number);
    }
    return std::nullopt;
}

std::optional<bool> bool_at(json::object const& object, std::string_view key) {
    auto const* const value = member(object, key, &json::value::if_bool);
    if (!value) {
        return std::nullopt;
    }
    return *value;
}

json::object const* object_at(json::object const& object, std::string_view key) {
    return member(object, key, &json::value::if_object);
}

json::array const* array_at(json::object const& object, std::string_view key) {
    return member(object, key, &json::value::if_array);
}

}  // namespace brickgate
