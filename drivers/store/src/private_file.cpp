// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "private_file.hpp"

#include <stile/drivers/file_descriptor.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace stile::drivers {

std::expected<void, OsError> make_private_file(const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        const std::string directory = path.substr(0, slash);
        if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
            // A parent that may not be written to may be there all the same.
            const int code = errno;
            struct stat status{};
            if (::stat(directory.c_str(), &status) == 0) continue;
            return std::unexpected(os_error("directory " + directory, code));
        }
    }
    const FileDescriptor fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (!fd.valid()) return std::unexpected(os_error("file " + path));
    struct stat status{};
    if (::fstat(fd.get(), &status) == 0 && (status.st_mode & 0077) != 0) {
        if (::fchmod(fd.get(), 0600) != 0) return std::unexpected(os_error("rights of " + path));
    }
    return {};
}

}  // namespace stile::drivers
