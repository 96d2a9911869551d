#!/bin/sh
# Runs a user's service manager where nobody else sees its files; its words go to the kernel's log, as a system's do.
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/user
chmod 700 /run/user
export XDG_RUNTIME_DIR=/run/user SYSTEMD_LOG_TARGET=kmsg SYSTEMD_LOG_LEVEL=info
/lib/systemd/systemd --user >/dev/null 2>&1 &
manager=$!
sleep 6  # The kernel takes few lines of others at a time.
systemctl --user start shop.service orders.service
sleep 6  # The kernel takes few lines of others at a time.
systemctl --user kill -s KILL shop.service
sleep 6  # The kernel takes few lines of others at a time.
systemctl --user stop shop.service
sleep 1
kill "$manager"
sleep 1
