/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "mount/daemon.h"

#include <fuse_lowlevel.h>
#include <stdio.h>

static void print_help(void)
{
	printf("usage: irminfs [OPTIONS] STORE MOUNTPOINT\n"
	       "       irminfs COMMAND ...\n\n"
	       "Mounts a Git repository; its branches are directories.  STORE "
	       "is a bare\nrepository or a .git folder, and is made if it is "
	       "absent.\n\n"
	       "  -f                     stay in the foreground\n"
	       "  -d                     print each request; implies -f\n"
	       "  -r, -o ro              read-only\n"
	       "  -o commit=N            commit changes after N seconds (5)\n"
	       "  -o force               write branches that are checked out "
	       "elsewhere, too\n"
	       "  -o fold=off            every fsync is a commit of its own\n"
	       "  -o ignored=track       commit files that .gitignore names, "
	       "too\n"
	       "  -o journal=SIZE        of the journal, e.g. 256M "
	       "(default 64M)\n"
	       "  -o memory=SIZE         for changed contents, e.g. 512M "
	       "(128M)\n"
	       "  -o driver_timeout=N    seconds that a merge driver may take "
	       "(60)\n"
	       "  -o housekeeping=off    never merge packs\n"
	       "  -o xattr=off           no extended attributes; creating files "
	       "is faster\n"
	       "  -o OPTION              allow_other, nodev, noexec, ...: as "
	       "mount.fuse3(8)\n"
	       "  -h, --help             print this\n"
	       "  -V, --version          print the version\n\n"
	       "Commands; irminfs COMMAND --help tells more:\n");
	for (const struct command *const *c = commands; *c; c++)
		printf("  %s%s%s\n", (*c)->name, (*c)->operands[0] ? " " : "",
		       (*c)->operands);
	printf("\nThe manual, irminfs(1), has the details.\n");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct mount_options o = { 0 };
	struct report report = { "" };
	int status = STATUS_OK;

	if (mount_options_parse(argc, argv, &o, &report) < 0)
		return say(NULL, STATUS_USAGE, "%s", report.text);
	if (o.help)
		print_help();
	else if (o.version)
		printf("irminfs %s, libfuse %s\n", IRMINFS_VERSION,
		       fuse_pkgversion());
	else
		status = daemon_mount(NULL, &o);
	mount_options_release(&o);
	return output_finish(NULL, status);
}

const struct command command_mount = {
	"mount", "[OPTIONS] STORE MOUNTPOINT",
	"Mount a store, as irminfs STORE MOUNTPOINT does.", run,
};
