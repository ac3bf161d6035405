// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where things are on a Databricks host (databricks-facts section 1). Pure.
#include <string>

#include "databricks/workspace.h"
#include "oauth/metadata.h"

namespace brickgate {

std::string discovery_url(WorkspaceHost const& host);
MetadataPolicy metadata_policy(WorkspaceHost const& host);
std::string scim_me_url(WorkspaceHost const& host);

}  // namespace brickgate
