// SPDX-License-Identifier: Apache-2.0
// What of the grants outlives the process. Dead refresh tokens are kept too: a reuse after a
// restart is still a reuse.
#include "base/json.h"
#include "sandbox/grants.h"

namespace brickgate::sandbox {

namespace {

std::string text_at(json::object const& object, std::string_view key) {
    return std::string(string_at(object, key).value_or(""));
}
Time time_at(json::object const& object, std::string_view key) {
    return time_from_ms(integer_at(object, key).value_or(0));
}
std::uint64_t count_at(json::object const& object, std::string_view key) {
    return static_cast<std::uint64_t>(integer_at(object, key).value_or(0));
}

// The objects of a list; what is no object is passed over.
template <class Use>
void for_each_object(json::object const& document, std::string_view key, Use use) {
    if (auto const* const list = array_at(document, key)) {
        for (auto const& entry : *list) {
            if (entry.is_object()) {
                use(entry.get_object());
            }
        }
    }
}

json::object counts(std::map<std::string, std::uint64_t> const& presented) {
    json::object out;
    for (auto const& [hash, times] : presented) {
        out[hash] = times;
    }
    return out;
}

}  // namespace

json::object Grants::snapshot() const {
    json::array families;
    for (auto const& [id, f] : families_) {
        families.push_back({{"id", id},
                            {"client_id", f.client_id},
                            {"scope", f.scope},
                            {"email", f.person.email},
                            {"name", f.person.name},
                            {"current", f.current},
                            {"previous", f.previous},
                            {"previous_used_at", to_ms(f.previous_used_at)},
                            {"current_expires_at", to_ms(f.current_expires_at)},
                            {"session_ends_at", to_ms(f.session_ends_at)},
                            {"dead", f.dead},
                            {"generation", f.generation},
                            {"reuses", f.reuses},
                            {"presented", counts(f.presented)}});
    }
    json::array access;
    for (auto const& [hash, a] : access_) {
        access.push_back({{"hash", hash},
                          {"family", a.family},
                          {"scope", a.scope},
                          {"email", a.person.email},
                          {"name", a.person.name},
                          {"expires_at", to_ms(a.expires_at)}});
    }
    json::array tokens;
    for (auto const& [hash, family] : family_of_) {
        tokens.push_back({{"hash", hash}, {"family", family}});
    }
    return {{"settings", to_json(settings)},
            {"families", std::move(families)},
            {"refresh_tokens", std::move(tokens)},
            {"access", std::move(access)}};
}

void Grants::restore(json::object const& snapshot) {
    if (auto const* const kept = object_at(snapshot, "settings")) {
        (void)apply(settings, *kept);  // an older version's file: the defaults
    }
    for_each_object(snapshot, "families", [&](json::object const& object) {
        Family family;
        family.id = text_at(object, "id");
        family.client_id = text_at(object, "client_id");
        family.scope = text_at(object, "scope");
        family.person = {text_at(object, "email"), text_at(object, "name")};
        family.current = text_at(object, "current");
        family.previous = text_at(object, "previous");
        family.previous_used_at = time_at(object, "previous_used_at");
        family.current_expires_at = time_at(object, "current_expires_at");
        family.session_ends_at = time_at(object, "session_ends_at");
        family.dead = bool_at(object, "dead").value_or(false);
        family.generation = count_at(object, "generation");
        family.reuses = count_at(object, "reuses");
        if (auto const* const presented = object_at(object, "presented")) {
            for (auto const& [hash, times] : *presented) {
                family.presented[std::string(hash)] = count_at(*presented, hash);
            }
        }
        std::string const id = family.id;
        families_[id] = std::move(family);
    });
    for_each_object(snapshot, "refresh_tokens", [&](json::object const& object) {
        if (families_.contains(text_at(object, "family"))) {
            family_of_[text_at(object, "hash")] = text_at(object, "family");
        }
    });
    for_each_object(snapshot, "access", [&](json::object const& object) {
        access_[text_at(object, "hash")] = {text_at(object, "family"),
                                            text_at(object, "scope"),
                                            {text_at(object, "email"), text_at(object, "name")},
                                            time_at(object, "expires_at")};
    });
}

}  // namespace brickgate::sandbox
