// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every attribute this library knows.
#include <stile/stun/attributes/address.hpp>
#include <stile/stun/attributes/credentials.hpp>
#include <stile/stun/attributes/discovery.hpp>
#include <stile/stun/attributes/error.hpp>
#include <stile/stun/attributes/ice.hpp>
#include <stile/stun/attributes/text.hpp>
#include <stile/stun/attributes/turn.hpp>
