// SPDX-License-Identifier: Apache-2.0
#pragma once
// A thin hand on the sqlite3 library: one connection with a cache of prepared statements, values
// bound in order, rows read in order. For one thread. Private to sqlite_store.
#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace brickgate::sqlite {

struct Blob {
    std::string_view bytes;
};

class Row {  // valid until the next step of its statement
 public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    std::int64_t integer() { return sqlite3_column_int64(statement_, column_++); }
    std::uint64_t count() { return static_cast<std::uint64_t>(integer()); }
    std::string text();
    bool is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }
    Time time() { return time_from_ms(integer()); }
    std::optional<Time> maybe_time();
    std::optional<std::string> maybe_text();

 private:
    sqlite3_stmt* statement_;
    int column_ = 0;
};

class Database {
 public:
    static Result<std::unique_ptr<Database>> open(std::string const& path);
    ~Database();
    Database(Database const&) = delete;
    Database& operator=(Database const&) = delete;

    Result<void> script(std::string const& sql);  // constant text only
    // All of it, as of one moment, into an empty one that is then a single file.
    Result<void> copy_to(Database& target);
    // A full or broken disk makes SQLite end the whole transaction by itself.
    bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
    // `sql` must be a literal: it is prepared once and kept.
    template <class... Values>
    Result<std::size_t> run(std::string_view sql, Values const&... values) {
        auto statement = prepare(sql);
        if (!statement) {
            return std::unexpected(statement.error());
        }
        int index = 0;
        (bind(*statement, ++index, values), ...);
        return finish(*statement, nullptr);
    }
    template <class... Values>
    Result<std::size_t> query(std::string_view sql, std::function<void(Row&)> const& see,
                              Values const&... values) {
        auto statement = prepare(sql);
        if (!statement) {
            return std::unexpected(statement.error());
        }
        int index = 0;
        (bind(*statement, ++index, values), ...);
        return finish(*statement, &see);
    }

 private:
    Database() = default;
    Result<sqlite3_stmt*> prepare(std::string_view sql);
    // Rows changed, or rows seen where `see` is given.
    Result<std::size_t> finish(sqlite3_stmt* statement, std::function<void(Row&)> const* see);
    Error error() const;

    static void bind(sqlite3_stmt* s, int i, std::string const& v) { text(s, i, v); }
    static void bind(sqlite3_stmt* s, int i, std::string_view v) { text(s, i, v); }
    static void bind(sqlite3_stmt* s, int i, Blob v) {
        sqlite3_bind_blob64(s, i, v.bytes.data() ? v.bytes.data() : "", v.bytes.size(),
                            SQLITE_TRANSIENT);
    }
    static void bind(sqlite3_stmt* s, int i, bool v) { sqlite3_bind_int64(s, i, v ? 1 : 0); }
    static void bind(sqlite3_stmt* s, int i, std::int64_t v) { sqlite3_bind_int64(s, i, v); }
    static void bind(sqlite3_stmt* s, int i, std::uint64_t v) {
        sqlite3_bind_int64(s, i, static_cast<std::int64_t>(v));
    }
    static void bind(sqlite3_stmt* s, int i, unsigned v) { sqlite3_bind_int64(s, i, v); }
    static void bind(sqlite3_stmt* s, int i, Time v) { sqlite3_bind_int64(s, i, to_ms(v)); }
    template <class T>
    static void bind(sqlite3_stmt* s, int i, std::optional<T> const& v) {
        if (v) {
            bind(s, i, *v);
        } else {
            sqlite3_bind_null(s, i);
        }
    }
    static void text(sqlite3_stmt* s, int i, std::string_view v) {
        sqlite3_bind_text64(s, i, v.data() ? v.data() : "", v.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8);
    }

    sqlite3* handle_ = nullptr;
    std::unordered_map<std::string_view, sqlite3_stmt*> statements_;
};

}  // namespace brickgate::sqlite
