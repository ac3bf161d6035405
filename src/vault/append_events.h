// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes events in the transaction of the change that they tell of. Private to Vault.
#include <string>
#include <vector>

#include "vault/store.h"

namespace brickgate {

inline Result<void> append_events(StoreTransaction& store, std::vector<EventRow> const& events,
                                  std::string const& connection) {
    for (auto event : events) {
        if (event.connection.empty()) {
            event.connection = connection;
        }
        if (auto const appended = store.append_event(event); !appended) {
            return appended;
        }
    }
    return {};
}

}  // namespace brickgate
