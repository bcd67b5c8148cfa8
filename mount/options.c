/* SPDX-License-Identifier: ISC */
#include "mount/options.h"

#include "mount/flags.h"

#include <errno.h>
#include <fuse_opt.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define SIZE_LEAST ((size_t)1 << 20)
#define SECONDS_MOST 86400

void mount_options_release(struct mount_options *o)
{
	free(o->store);
	free(o->mountpoint);
	free(o->passed);
	*o = (struct mount_options){ 0 };
}

/* ---- what is understood ---- */

enum {
	KEY_HELP,
	KEY_VERSION,
	KEY_FOREGROUND,
	KEY_DEBUG,
	KEY_READONLY,
	KEY_FORCE,
	KEY_COMMIT,
	KEY_DRIVER_TIMEOUT,
	KEY_MEMORY,
	KEY_JOURNAL,
	KEY_FOLD_ON,
	KEY_FOLD_OFF,
	KEY_HOUSEKEEPING,
	KEY_XATTR,
	KEY_PASS,
	KEY_IGNORE,
};

static const struct fuse_opt known[] = {
	FUSE_OPT_KEY("-h", KEY_HELP),
	FUSE_OPT_KEY("--help", KEY_HELP),
	FUSE_OPT_KEY("-V", KEY_VERSION),
	FUSE_OPT_KEY("--version", KEY_VERSION),
	FUSE_OPT_KEY("-f", KEY_FOREGROUND),
	FUSE_OPT_KEY("-d", KEY_DEBUG),
	FUSE_OPT_KEY("debug", KEY_DEBUG),
	FUSE_OPT_KEY("-r", KEY_READONLY),
	FUSE_OPT_KEY("ro", KEY_READONLY),
	FUSE_OPT_KEY("force", KEY_FORCE),
	FUSE_OPT_KEY("commit=", KEY_COMMIT),
	FUSE_OPT_KEY("driver_timeout=", KEY_DRIVER_TIMEOUT),
	FUSE_OPT_KEY("memory=", KEY_MEMORY),
	FUSE_OPT_KEY("journal=", KEY_JOURNAL),
	FUSE_OPT_KEY("fold=on", KEY_FOLD_ON),
	FUSE_OPT_KEY("fold=off", KEY_FOLD_OFF),
	FUSE_OPT_KEY("housekeeping=", KEY_HOUSEKEEPING),
	FUSE_OPT_KEY("xattr=", KEY_XATTR),
	/* for the kernel and for fusermount3 */
	FUSE_OPT_KEY("allow_other", KEY_PASS),
	FUSE_OPT_KEY("allow_root", KEY_PASS),
	FUSE_OPT_KEY("auto_unmount", KEY_PASS),
	FUSE_OPT_KEY("default_permissions", KEY_PASS),
	FUSE_OPT_KEY("nosuid", KEY_PASS),
	FUSE_OPT_KEY("suid", KEY_PASS),
	FUSE_OPT_KEY("nodev", KEY_PASS),
	FUSE_OPT_KEY("dev", KEY_PASS),
	FUSE_OPT_KEY("noexec", KEY_PASS),
	FUSE_OPT_KEY("exec", KEY_PASS),
	FUSE_OPT_KEY("noatime", KEY_PASS),
	FUSE_OPT_KEY("atime", KEY_PASS),
	FUSE_OPT_KEY("sync", KEY_PASS),
	FUSE_OPT_KEY("async", KEY_PASS),
	FUSE_OPT_KEY("dirsync", KEY_PASS),
	FUSE_OPT_KEY("context=", KEY_PASS),
	FUSE_OPT_KEY("fscontext=", KEY_PASS),
	FUSE_OPT_KEY("defcontext=", KEY_PASS),
	FUSE_OPT_KEY("rootcontext=", KEY_PASS),
	/* for mount(8), systemd and fstab, or what is so anyway */
	FUSE_OPT_KEY("rw", KEY_IGNORE),
	FUSE_OPT_KEY("defaults", KEY_IGNORE),
	FUSE_OPT_KEY("auto", KEY_IGNORE),
	FUSE_OPT_KEY("noauto", KEY_IGNORE),
	FUSE_OPT_KEY("user", KEY_IGNORE),
	FUSE_OPT_KEY("user=", KEY_IGNORE),
	FUSE_OPT_KEY("nouser", KEY_IGNORE),
	FUSE_OPT_KEY("users", KEY_IGNORE),
	FUSE_OPT_KEY("owner", KEY_IGNORE),
	FUSE_OPT_KEY("group", KEY_IGNORE),
	FUSE_OPT_KEY("nofail", KEY_IGNORE),
	FUSE_OPT_KEY("_netdev", KEY_IGNORE),
	FUSE_OPT_KEY("comment=", KEY_IGNORE),
	FUSE_OPT_KEY("relatime", KEY_IGNORE),
	FUSE_OPT_KEY("norelatime", KEY_IGNORE),
	FUSE_OPT_KEY("diratime", KEY_IGNORE),
	FUSE_OPT_KEY("nodiratime", KEY_IGNORE),
	FUSE_OPT_KEY("strictatime", KEY_IGNORE),
	FUSE_OPT_KEY("nostrictatime", KEY_IGNORE),
	FUSE_OPT_KEY("lazytime", KEY_IGNORE),
	FUSE_OPT_KEY("nolazytime", KEY_IGNORE),
	FUSE_OPT_KEY("loud", KEY_IGNORE),
	FUSE_OPT_KEY("silent", KEY_IGNORE),
	FUSE_OPT_END,
};

struct parsing {
	struct mount_options *options;
	struct report *report;
	int error;
};

int parse_size(const char *text, size_t *ret)
{
	static const char units[] = "kMG";
	scoped_free char *digits = strdup(text);
	size_t length = strlen(text);
	unsigned int shift = 0;
	unsigned long value;
	const char *unit;

	if (!digits)
		return -ENOMEM;
	unit = length ? strchr(units, text[length - 1]) : NULL;
	if (length && text[length - 1] == 'K')
		unit = units;
	if (unit) {
		digits[length - 1] = '\0';
		shift = 10 * (unit - units + 1);
	}
	if (parse_number(digits, 0, ULONG_MAX, &value) < 0)
		return -EINVAL;
	if (value > SIZE_MAX >> shift)
		return -ERANGE;
	*ret = (size_t)value << shift;
	return 0;
}

/* ---- one option ---- */

static int wrong(struct parsing *p, const char *option, const char *why)
{
	p->error = report_set(p->report, -EINVAL, "%s: %s", option, why);
	return -1;
}

static int take_seconds(struct parsing *p, const char *option,
			unsigned int *ret)
{
	unsigned long seconds;

	if (parse_number(strchr(option, '=') + 1, 1, SECONDS_MOST, &seconds) < 0)
		return wrong(p, option, "not a number of seconds from 1 to "
					"86400");
	*ret = seconds;
	return 0;
}

static int take_size(struct parsing *p, const char *option, size_t *ret)
{
	size_t bytes;

	if (parse_size(strchr(option, '=') + 1, &bytes) < 0 ||
	    bytes < SIZE_LEAST)
		return wrong(p, option, "not a size of 1M or more, as 512M or "
					"2G");
	*ret = bytes;
	return 0;
}

static int take_switch(struct parsing *p, const char *option, bool *ret_off)
{
	const char *value = strchr(option, '=') + 1;

	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return wrong(p, option, "neither on nor off");
	*ret_off = strcmp(value, "off") == 0;
	return 0;
}

static int pass(struct parsing *p, const char *option)
{
	if (fuse_opt_add_opt_escaped(&p->options->passed, option) < 0)
		return wrong(p, option, "out of memory");
	return 0;
}

static int take_operand(struct parsing *p, const char *text)
{
	char **to = !p->options->store ? &p->options->store :
		    !p->options->mountpoint ? &p->options->mountpoint : NULL;

	if (!to)
		return wrong(p, text, "there is a store and a mount point "
				      "already");
	*to = strdup(text);
	return *to ? 0 : wrong(p, text, "out of memory");
}

/* fuse_opt's order: -1 error, 0 taken. */
static int take(void *data, const char *arg, int key, struct fuse_args *outargs)
{
	struct parsing *p = data;
	struct mount_options *o = p->options;

	switch (key) {
	case KEY_HELP:
		o->help = true;
		return 0;
	case KEY_VERSION:
		o->version = true;
		return 0;
	case KEY_DEBUG:
		o->debug = o->foreground = true;
		return 0;
	case KEY_FOREGROUND:
		o->foreground = true;
		return 0;
	case KEY_READONLY:
		o->of_store.readonly = true;
		return 0;
	case KEY_FORCE:
		o->of_store.force = true;
		return 0;
	case KEY_COMMIT:
		return take_seconds(p, arg, &o->of_store.commit_seconds);
	case KEY_DRIVER_TIMEOUT:
		return take_seconds(p, arg, &o->of_store.driver_seconds);
	case KEY_MEMORY:
		return take_size(p, arg, &o->of_store.memory);
	case KEY_JOURNAL:
		return take_size(p, arg, &o->of_store.journal);
	case KEY_FOLD_ON:
	case KEY_FOLD_OFF:
		o->of_store.keep_all = key == KEY_FOLD_OFF;
		return 0;
	case KEY_HOUSEKEEPING:
		return take_switch(p, arg, &o->of_store.no_housekeeping);
	case KEY_XATTR:
		return take_switch(p, arg, &o->no_xattr);
	case KEY_PASS:
		return pass(p, arg);
	case KEY_IGNORE:
		return 0;
	case FUSE_OPT_KEY_NONOPT:
		return take_operand(p, arg);
	}
	/* "x-systemd.automount" and the like are for others */
	if (strncasecmp(arg, "x-", 2) == 0)
		return 0;
	return wrong(p, arg, "irminfs knows no such option; irminfs --help "
			     "lists them");
}

int mount_options_parse(int argc, char **argv, struct mount_options *ret,
			struct report *report)
{
	struct mount_options o = {
		.of_store = { .create = true, .follow = true },
	};
	struct parsing p = { &o, report };
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);

	if (fuse_opt_parse(&args, &p, known, take) < 0 && !p.error)
		p.error = report_set(report, -EINVAL,
				     "the options cannot be understood");
	fuse_opt_free_args(&args);
	if (!p.error && !o.help && !o.version && !o.mountpoint)
		p.error = report_set(report, -EINVAL, o.store ?
				     "where to? Say irminfs STORE MOUNTPOINT" :
				     "say irminfs STORE MOUNTPOINT");
	if (p.error) {
		mount_options_release(&o);
		return p.error;
	}
	*ret = o;
	return 0;
}
