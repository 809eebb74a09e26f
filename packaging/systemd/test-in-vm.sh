#!/usr/bin/env bash
# Tests the Debian package (in-vm.sh) in a virtual machine with a real systemd. Not part of CI: it takes minutes and half
# a gigabyte under target/. Needs root, debootstrap, qemu-system-x86, and the package that packaging/release makes.
set -euo pipefail
cd "$(dirname "$0")/../.."
vm=target/vm
mkdir -p "$vm"
cp dist/usher_*.deb "$vm/usher.deb"
if [ ! -e "$vm/root/boot/ready" ]; then
    rm -rf "$vm/root"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,udev,curl,procps,strace,linux-image-cloud-amd64,initramfs-tools \
        bookworm "$vm/root" > "$vm/debootstrap.log"
    touch "$vm/root/boot/ready"
fi
cp "$vm/usher.deb" packaging/systemd/in-vm.sh "$vm/root/root/"
cat > "$vm/root/etc/systemd/system/in-vm.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /root/in-vm.sh
StandardInput=null
ExecStopPost=/bin/systemctl poweroff --force --force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
UNIT
# The serial console is for the output, not for logins.
ln -sf /dev/null "$vm/root/etc/systemd/system/serial-getty@ttyS0.service"
mkdir -p "$vm/root/etc/systemd/system/multi-user.target.wants"
ln -sf ../in-vm.service "$vm/root/etc/systemd/system/multi-user.target.wants/in-vm.service"
rm -f "$vm/disk"
truncate -s 2G "$vm/disk"
mke2fs -q -t ext4 -d "$vm/root" "$vm/disk"
# Emulation works everywhere. USHER_VM_ACCEL=kvm is faster, if the machine supports it.

timeout 1200 qemu-system-x86_64 -machine accel="${USHER_VM_ACCEL:-tcg}" -cpu max -m 1024 -smp 2 -display none -monitor none -no-reboot \
    -serial file:"$vm/output" -nic none -drive file="$vm/disk",if=virtio,format=raw \
    -kernel "$(ls "$vm"/root/boot/vmlinuz-*)" -initrd "$(ls "$vm"/root/boot/initrd.img-*)" \
    -append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 loglevel=1"
tr -d '\r' < "$vm/output" | grep -E '^(==|ok|NOT OK|all is well)|^ '
grep -q '^all is well' "$vm/output"
