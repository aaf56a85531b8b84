# idmapped-mount.pl SOURCE TARGET DISK SHOWN: mounts a directory so that what belongs to uid and gid DISK on the disk is shown
# as SHOWN's, and the other way round. As `mount --bind -o X-mount.idmap=b:DISK:SHOWN:1`, which needs util-linux 2.39.
use strict;
use warnings;

my ($source, $target, $disk, $shown) = @ARGV;
my %UNSHARE = (x86_64 => 272, aarch64 => 97);
my ($OPEN_TREE, $MOVE_MOUNT, $MOUNT_SETATTR) = (428, 429, 442);
my ($AT_FDCWD, $AT_EMPTY_PATH, $CLONE_NEWUSER) = (-100, 0x1000, 0x10000000);
my ($OPEN_TREE_CLONE, $MOVE_MOUNT_F_EMPTY_PATH, $MOUNT_ATTR_IDMAP) = (1, 4, 0x00100000);
my $empty = '';

chomp(my $machine = `uname -m`);
my $unshare = $UNSHARE{$machine} or die "no system call numbers for $machine\n";

# A process in a user namespace of its own, for as long as its mapping is needed.
pipe(my $ready, my $tell) or die "pipe: $!\n";
pipe(my $end, my $hold) or die "pipe: $!\n";
my $pid = fork() // die "fork: $!\n";
if ($pid == 0) {
  close $hold;
  syscall($unshare, $CLONE_NEWUSER) == 0 or die "unshare: $!\n";
  syswrite $tell, '.';
  sysread $end, my $over, 1;
  exit 0;
}
close $tell;
sysread($ready, my $told, 1) or die "no user namespace\n";
for my $map ('uid_map', 'gid_map') {
  open(my $file, '>', "/proc/$pid/$map") or die "$map: $!\n";
  syswrite($file, "$disk $shown 1\n") or die "$map: $!\n";
}
open(my $namespace, '<', "/proc/$pid/ns/user") or die "namespace: $!\n";

my $tree = syscall($OPEN_TREE, $AT_FDCWD, $source, $OPEN_TREE_CLONE);
$tree >= 0 or die "open_tree: $!\n";
my $attributes = pack('QQQQ', $MOUNT_ATTR_IDMAP, 0, 0, fileno($namespace));
syscall($MOUNT_SETATTR, $tree, $empty, $AT_EMPTY_PATH, $attributes, length $attributes) == 0 or die "mount_setattr: $!\n";
syscall($MOVE_MOUNT, $tree, $empty, $AT_FDCWD, $target, $MOVE_MOUNT_F_EMPTY_PATH) == 0 or die "move_mount: $!\n";
