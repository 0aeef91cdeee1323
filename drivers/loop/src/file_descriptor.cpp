// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/file_descriptor.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace stile::drivers {

void FileDescriptor::reset(int fd) {
    // Not repeated on EINTR: Linux has released the number even then.
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

FileDescriptor FileDescriptor::duplicate() const {
    return FileDescriptor{fd_ >= 0 ? ::fcntl(fd_, F_DUPFD_CLOEXEC, 0) : -1};
}

}  // namespace stile::drivers
