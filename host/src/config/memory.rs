//! How much memory this process may have: the machine's, or the limit of its control groups.
//!
//! A container, a systemd unit and a batch system each put a process into a group with its own limit, in either version
//! of control groups. The limits of all groups above apply as well. The kernel shows all of these in files.

use std::path::{Path, PathBuf};

/// Returns half of that memory in MiB; 1 GiB if the system doesn't say.
pub(super) fn half_of_memory_mib() -> String {
    half_of_memory_below(Path::new("/")).to_string()
}

/// Returns half of the memory, MiB, read from the system files below `root`.
fn half_of_memory_below(root: &Path) -> u64 {
    let total = total_bytes(root);
    let limit = limits_bytes(root).into_iter().min();
    total.into_iter().chain(limit).min().map_or(1024, |bytes| bytes >> 21)
}

fn total_bytes(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Returns the limits of all groups that this process is in, bytes. No limit is "max", and in version 1 a number larger
/// than any memory.
fn limits_bytes(root: &Path) -> Vec<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let mut limits = Vec::new();
    for hierarchy in mounts.lines().filter_map(Hierarchy::of_mount) {
        for folder in hierarchy.folders(&groups) {
            let folder = root.join(folder.strip_prefix("/").unwrap_or(&folder));
            let number = |text: &str| text.trim().parse::<u64>().ok();
            let in_file = |name| std::fs::read_to_string(folder.join(name)).ok();
            limits.extend(in_file(hierarchy.version.limit_file()).and_then(|text| number(&text)));
            // The limits of groups above that a container doesn't see; version 1 only.
            let stat = in_file("memory.stat").unwrap_or_default();
            limits
                .extend(stat.lines().find_map(|line| line.strip_prefix("hierarchical_memory_limit ")).and_then(number));
        }
    }
    limits
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    const fn limit_file(self) -> &'static str {
        match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        }
    }
}

/// Where a tree of groups is mounted.
#[derive(Debug)]
struct Hierarchy<'a> {
    version: Version,
    /// The group at the mount point, in a container perhaps the process's own.
    top: &'a str,
    point: &'a str,
}

impl<'a> Hierarchy<'a> {
    /// Parses a line of `mountinfo` (proc_pid_mountinfo(5)); `None` if it isn't about control groups.
    fn of_mount(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (top, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let version = match (system.next()?, system.nth(1)?) {
            ("cgroup2", _) => Version::Two,
            ("cgroup", options) if options.split(',').any(|option| option == "memory") => Version::One,
            _ => return None,
        };
        Some(Self { version, top, point })
    }

    /// Returns the folders of the process's group and the groups above, up to the mount point, which is always
    /// included.
    fn folders(&self, groups: &str) -> Vec<PathBuf> {
        let point = PathBuf::from(self.point);
        let own = groups.lines().find_map(|line| self.group(line)).and_then(|group| self.below_top(group));
        let Some(own) = own else { return vec![point] };
        let own = point.join(own);
        own.ancestors().take_while(|folder| folder.starts_with(&point)).map(Path::to_path_buf).collect()
    }

    /// Returns the group of a line of `/proc/self/cgroup`, if the line is about this hierarchy (cgroups(7)).
    fn group<'b>(&self, line: &'b str) -> Option<&'b str> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let here = match self.version {
            Version::Two => controllers.is_empty(),
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
        };
        here.then_some(group)
    }

    /// Returns the group's path below the mount point; `None` if the group isn't visible there.
    fn below_top<'b>(&self, group: &'b str) -> Option<&'b Path> {
        let below = Path::new(group).strip_prefix(self.top).ok()?;
        let is_down = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        is_down.then_some(below)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "36 25 0:31 / /sys/fs/cgroup/memory rw,nosuid shared:12 - cgroup cgroup rw,memory\n\
                      37 25 0:32 / /sys/fs/cgroup/cpu rw,nosuid shared:13 - cgroup cgroup rw,cpu,cpuacct\n";

    /// Returns the result for a machine with 8 GiB and these files.
    fn half(files: &[(&str, &str)]) -> u64 {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in [("proc/meminfo", "MemFree: 1 kB\nMemTotal:        8388608 kB\n")].iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        half_of_memory_below(root.path())
    }

    /// Issue 15.10: only a container's own `/sys/fs/cgroup/memory.max` was read.
    #[test]
    fn the_least_limit_of_the_processs_groups_counts() {
        let (cgroup, mountinfo) = ("proc/self/cgroup", "proc/self/mountinfo");
        let gib = |gib: u64| (gib << 30).to_string();
        let (one, two, three) = (gib(1), gib(2), gib(3));
        assert_eq!(half(&[]), 4096, "no groups");
        let container = [(cgroup, "0::/\n"), (mountinfo, V2)];
        let with = |more: &[(&str, &str)]| half(&[&container[..], more].concat());
        assert_eq!(with(&[("sys/fs/cgroup/memory.max", &two)]), 1024, "a container's");
        assert_eq!(with(&[("sys/fs/cgroup/memory.max", "max\n")]), 4096, "none");
        assert_eq!(with(&[("sys/fs/cgroup/memory.max", &gib(64))]), 4096, "more than there is");

        let unit = [(cgroup, "0::/system.slice/till.service\n"), (mountinfo, V2)];
        let with = |more: &[(&str, &str)]| half(&[&unit[..], more].concat());
        let (own, slice) =
            ("sys/fs/cgroup/system.slice/till.service/memory.max", "sys/fs/cgroup/system.slice/memory.max");
        assert_eq!(with(&[(own, &two), (slice, "max\n")]), 1024, "a systemd unit's");
        assert_eq!(with(&[(own, &two), (slice, &one)]), 512, "its slice's is less");
        assert_eq!(with(&[(own, "max\n"), (slice, &three)]), 1536, "only its slice has one");
        assert_eq!(with(&[("sys/fs/cgroup/other.slice/memory.max", &one)]), 4096, "another's");

        let old = [(cgroup, "5:cpu,cpuacct:/a\n4:memory:/user/till\n0::/user/till\n"), (mountinfo, V1)];
        let with = |more: &[(&str, &str)]| half(&[&old[..], more].concat());
        let (own, above) =
            ("sys/fs/cgroup/memory/user/till/memory.limit_in_bytes", "sys/fs/cgroup/memory/user/memory.limit_in_bytes");
        assert_eq!(with(&[(own, &two), (above, "9223372036854771712\n")]), 1024, "version 1");
        assert_eq!(with(&[(own, "9223372036854771712\n")]), 4096, "version 1 without a limit");
        assert_eq!(with(&[(own, &two), (above, &one)]), 512, "version 1, the group above");
        let stat = ("sys/fs/cgroup/memory/user/till/memory.stat", "cache 1\nhierarchical_memory_limit 1073741824\n");
        assert_eq!(with(&[(own, &two), stat]), 512, "version 1, a group that isn't visible");
    }

    #[test]
    fn a_container_that_sees_its_own_group_at_the_top_counts_that() {
        let mounted = "30 23 0:26 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n";
        let check = |group: &str, expected: u64| {
            let limit = (1_u64 << 30).to_string();
            let files = [
                ("proc/self/cgroup", group),
                ("proc/self/mountinfo", mounted),
                ("sys/fs/cgroup/memory.max", &limit),
                ("sys/fs/cgroup/below/memory.max", "536870912"),
            ];
            assert_eq!(half(&files), expected, "{group}");
        };
        check("0::/docker/abc\n", 512);
        check("0::/docker/abc/below\n", 256);
        // A group of another tree, which `nsenter` and some runtimes leave behind.
        check("0::/../../other\n", 512);
        check("0::/elsewhere\n", 512);
    }
}
