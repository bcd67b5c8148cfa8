/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "mount/options.h"

#include <errno.h>
#include <string.h>

static int parse(struct mount_options *ret, struct report *report,
		 const char *const *arguments)
{
	char *argv[16];
	int argc = 0, r;

	argv[argc++] = (char *)"irminfs";
	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	argv[argc] = NULL;
	*report = (struct report){ "" };
	r = mount_options_parse(argc, argv, ret, report);
	return r;
}

#define PARSE(o, report, ...)                                                  \
	parse(o, report, (const char *const[]){ __VA_ARGS__, NULL })

static void store_and_mount_point_are_enough(void **state)
{
	struct mount_options o;
	struct report report;

	assert_int_equal(PARSE(&o, &report, "s.git", "/mnt"), 0);
	assert_string_equal(o.store, "s.git");
	assert_string_equal(o.mountpoint, "/mnt");
	assert_true(o.of_store.create);
	assert_false(o.foreground || o.debug || o.of_store.readonly);
	assert_null(o.passed);
	mount_options_release(&o);
}

static void own_options_are_taken(void **state)
{
	struct mount_options o;
	struct report report;

	assert_int_equal(PARSE(&o, &report, "-f", "s", "m", "-o",
			       "commit=60,force,ro,memory=2G", "-o",
			       "driver_timeout=7,housekeeping=off,xattr=off"), 0);
	assert_true(o.foreground);
	assert_false(o.debug);
	assert_true(o.of_store.force);
	assert_true(o.of_store.readonly);
	assert_int_equal(o.of_store.commit_seconds, 60);
	assert_int_equal(o.of_store.driver_seconds, 7);
	assert_true(o.of_store.no_housekeeping);
	assert_true(o.no_xattr);
	assert_int_equal(o.of_store.memory, (size_t)2 << 30);
	mount_options_release(&o);
}

static void debug_implies_foreground(void **state)
{
	struct mount_options o;
	struct report report;

	assert_int_equal(PARSE(&o, &report, "s", "m", "-d"), 0);
	assert_true(o.debug && o.foreground);
	mount_options_release(&o);
}

/* mount -t fuse.irminfs runs: irminfs STORE MOUNTPOINT -o OPTIONS */
static void mount_options_pass_or_are_ignored(void **state)
{
	struct mount_options o;
	struct report report;

	assert_int_equal(PARSE(&o, &report, "s", "m", "-o",
			       "rw,noauto,user,nofail,_netdev,defaults,"
			       "x-systemd.automount,x-gvfs-hide,relatime,"
			       "allow_other,nosuid,nodev,noexec,noatime"), 0);
	assert_string_equal(o.passed,
			    "allow_other,nosuid,nodev,noexec,noatime");
	mount_options_release(&o);
}

static void unknown_options_are_named(void **state)
{
	struct mount_options o;
	struct report report;

	assert_int_equal(PARSE(&o, &report, "s", "m", "-o", "comit=5"),
			 -EINVAL);
	assert_non_null(strstr(report.text, "comit=5"));
	assert_int_equal(PARSE(&o, &report, "s", "m", "-q"), -EINVAL);
	assert_non_null(strstr(report.text, "-q"));
	assert_int_equal(PARSE(&o, &report, "s", "m", "more"), -EINVAL);
	assert_non_null(strstr(report.text, "more"));
}

static void bad_values_are_refused(void **state)
{
	static const char *const bad[] = {
		"commit=0", "commit=-1", "commit=5s", "commit=", "commit=86401",
		"driver_timeout=x", "memory=0", "memory=12", "memory=1T",
		"memory=-1G", "memory=99999999999G", "memory=",
		"housekeeping=", "housekeeping=no", "xattr=yes",
	};
	struct mount_options o;
	struct report report;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(PARSE(&o, &report, "s", "m", "-o", bad[i]),
				 -EINVAL);
		assert_non_null(strstr(report.text, bad[i]));
	}
}

static void something_missing_is_said(void **state)
{
	struct mount_options o;
	struct report report;

	assert_int_equal(PARSE(&o, &report, "s"), -EINVAL);
	assert_true(report.text[0]);
	assert_int_equal(PARSE(&o, &report, "--help"), 0);
	assert_true(o.help);
	mount_options_release(&o);
	assert_int_equal(PARSE(&o, &report, "-V"), 0);
	assert_true(o.version);
	mount_options_release(&o);
}

static void sizes_have_units(void **state)
{
	size_t size;

	assert_int_equal(parse_size("17", &size), 0);
	assert_int_equal(size, 17);
	assert_int_equal(parse_size("4k", &size), 0);
	assert_int_equal(size, 4096);
	assert_int_equal(parse_size("3M", &size), 0);
	assert_int_equal(size, 3 << 20);
	assert_int_equal(parse_size("", &size), -EINVAL);
	assert_int_equal(parse_size("M", &size), -EINVAL);
	assert_int_equal(parse_size("1MB", &size), -EINVAL);
	assert_int_equal(parse_size("18446744073709551615G", &size), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_and_mount_point_are_enough),
		cmocka_unit_test(own_options_are_taken),
		cmocka_unit_test(debug_implies_foreground),
		cmocka_unit_test(mount_options_pass_or_are_ignored),
		cmocka_unit_test(unknown_options_are_named),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(something_missing_is_said),
		cmocka_unit_test(sizes_have_units),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
