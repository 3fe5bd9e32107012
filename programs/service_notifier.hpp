// What a service manager is told (sd_notify(3)); nothing happens without one.
#pragma once

namespace portcullis::programs {

void notify_ready();
void notify_reloading();
void notify_stopping();

}  // namespace portcullis::programs
