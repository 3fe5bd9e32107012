// Messages to the service manager (sd_notify(3)); without one nothing happens.
#pragma once

namespace portcullis::programs {

void notify_ready();
void notify_reloading();
void notify_stopping();

}  // namespace portcullis::programs
