// SPDX-License-Identifier: Apache-2.0
#pragma once
// The table of every path the daemon answers: read this first, then the handlers it names.
#include "net/router.h"
#include "server/api.h"
#include "server/capabilities_api.h"
#include "server/connect_pages.h"
#include "server/metadata_service.h"
#include "server/operations.h"

namespace brickgate {

// How a failure is told: a page to browsers, JSON to programs. Keeps a reference to the settings.
ErrorRenderer make_renderer(ServerSettings const& settings);

// Browsers:  GET /  /auth  <callback path>  /connect/result/{id}  /assets/{file}  /favicon.ico
// Programs:  /v1/connections...  /v1/api-keys...  /v1/capabilities...
//            /v1/logins (local socket only)
// SDKs:      /m/{capability}  /.well-known/databricks-config  /oidc/... (refused with a sentence)
// Operators: /healthz  /readyz  /metrics  /openapi.yaml
Router make_router(ServerSettings const& settings, ConnectPages& pages, Api& api,
                   Operations& operations, CapabilitiesApi& capabilities,
                   MetadataService& metadata);

}  // namespace brickgate
