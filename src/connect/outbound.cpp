// SPDX-License-Identifier: Apache-2.0
#include "connect/outbound.h"

#include "oauth/metadata.h"

namespace brickgate {

HttpLimits limits_for(Registration const& registration, std::string const& origin) {
    HttpLimits limits;
    limits.egress.operator_listed = !is_databricks_suffix(host_of(origin));
    limits.egress.allowed_networks = registration.allowed_networks;
    return limits;
}

}  // namespace brickgate
