/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/merge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char folder[] = "/tmp/test_merge_driver.XXXXXX";
static char logged[4096];

static void keep_log(enum log_level level, const char *text)
{
	snprintf(logged, sizeof(logged), "%s", text);
}

static int setup(void **state)
{
	log_set_sink(keep_log, LOG_LEVEL_DEBUG);
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	return rmdir(folder);
}

static int run_for(const char *path, char *driver, unsigned int seconds,
		   struct merge_output *ret, struct report *report)
{
	const struct merge_context context = {
		.driver_dir = folder, .driver_seconds = seconds,
	};
	const struct merge_rule rule = {
		.name = (char *)"mine", .driver = driver, .marker_size = 9,
	};
	const struct merge_input input = {
		.base = { "base\n", 5, "base" },
		.ours = { "ours\n", 5, "main" },
		.theirs = { "theirs\n", 7, "it's" },
		.path = path,
	};

	*report = (struct report){ "" };
	*ret = (struct merge_output){ 0 };
	return merge_file(&context, &rule, &input, ret, report);
}

static void expect(const char *driver, int outcome, const char *result)
{
	struct merge_output output;
	struct report report;

	assert_int_equal(run_for("dir/it's", (char *)driver, 10, &output,
				 &report), outcome);
	assert_int_equal(output.size, strlen(result));
	assert_memory_equal(output.data, result, output.size);
	assert_string_equal(report.text, "");
	free(output.data);
	/* nothing is left behind */
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void expect_error(const char *driver, int outcome, const char *says)
{
	struct merge_output output;
	struct report report;

	assert_int_equal(run_for("f", (char *)driver, 1, &output, &report),
			 outcome);
	assert_null(output.data);
	assert_non_null(strstr(report.text, says));
	assert_non_null(strstr(report.text, "\"mine\""));
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void results_are_read_from_the_file_of_ours(void **state)
{
	expect("cat %O %B >>%A", 0, "ours\nbase\ntheirs\n");
	expect("true", 0, "ours\n");
	expect(": >%A", 0, "");
	expect("echo new >x && mv x %A", 0, "new\n");
	expect("", 0, "ours\n");
}

static void placeholders_are_those_of_git(void **state)
{
	expect("echo %L %P %% %Z >%A", 0, "9 dir/it's % %Z\n");
	expect("echo %S %X %Y >%A; echo 100% >>%A", 0,
	       "base main it's\n100%\n");
	expect("echo \"%O\" '%A' >%A", 0, "base ours\n");
}

static void exit_status_is_read_as_git_does(void **state)
{
	expect("exit 1", 1, "ours\n");
	expect("echo x >%A; exit 128", 1, "x\n");
	expect("no-such-program-at-all", 1, "ours\n");
	expect_error("exit 129", -ECHILD, "status 129");
	expect_error("kill -9 $$", -ECHILD, "signal 9");
}

static void drivers_are_cut_off_from_the_daemon(void **state)
{
	expect("cat >%A", 0, "");
	expect("basename \"$(pwd)\" | cut -c1-6 >%A", 0, "merge-\n");
	assert_int_equal(dup2(1, 77), 77);	/* to be inherited */
	/* no descriptors but the three, and the listing's own */
	expect("ls /proc/self/fd | wc -l >%A", 0, "4\n");
	/* a group of its own */
	expect("test $$ = $(ps -o pgid= -p $$) && echo yes >%A", 0, "yes\n");
}

static void a_driver_that_hangs_is_killed(void **state)
{
	expect_error("sleep 100", -ETIMEDOUT, "within 1 s");
	expect_error("sleep 100 & sleep 100", -ETIMEDOUT, "within 1 s");
	expect_error("trap '' TERM; sleep 100; sleep 100", -ETIMEDOUT,
		     "within 1 s");
	/* a flood of words does not keep it alive */
	expect_error("yes", -ETIMEDOUT, "within 1 s");
}

static bool is_running(int pid)
{
	char path[64], state_of = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fscanf(file, "%*d %*s %c", &state_of) != 1)
		state_of = 'Z';
	fclose(file);
	return state_of != 'Z';
}

static void what_a_driver_leaves_running_is_killed(void **state)
{
	struct merge_output output;
	struct report report;
	int pid = 0;

	assert_int_equal(run_for("f", (char *)"sleep 100 & echo $! >%A", 10,
				 &output, &report), 0);
	assert_int_equal(sscanf(output.data, "%d", &pid), 1);
	free(output.data);
	for (int i = 0; i < 100 && is_running(pid); i++)
		usleep(10000);
	assert_false(is_running(pid));
}

static void results_that_are_no_files_are_refused(void **state)
{
	expect_error("rm %A", -ECHILD, "left no file");
	expect_error("rm %A; mkdir %A; touch %A/x", -ECHILD, "left no file");
	expect_error("ln -sf /etc/passwd %A", -ECHILD, "left no file");
	expect_error("rm %A; mkfifo %A", -ECHILD, "left no file");
	expect_error("mkdir d && touch d/x && chmod 0 d; exit 200", -ECHILD,
		     "status 200");
}

static void results_are_bounded(void **state)
{
	/* it cannot even write that much: a signal ends what tries */
	expect_error("exec truncate -s 300M %A", -ECHILD, "signal");
}

static void what_it_says_is_logged(void **state)
{
	expect("echo oops >&2; echo second; exit 1", 1, "ours\n");
	assert_string_equal(logged, "merge driver \"mine\" of \"dir/it's\" "
				    "says: oops second");
	logged[0] = '\0';
	expect("true", 0, "ours\n");
	assert_string_equal(logged, "");
}

static void types_need_no_repository(void **state)
{
	const struct merge_context context = { 0 };
	struct merge_rule rule = { 0 };
	struct merge_input input = {
		.base = { "1\n2\n3\n", 6, "base" },
		.ours = { "0\n2\n3\n", 6, "ours" },
		.theirs = { "1\n2\n4\n", 6, "theirs" },
		.path = "f",
	};
	struct merge_output output = { 0 };

	assert_int_equal(merge_file(&context, &rule, &input, &output, NULL), 0);
	assert_int_equal(output.size, 6);
	assert_memory_equal(output.data, "0\n2\n4\n", 6);
	merge_output_release(&output);
	input.base.data = "1\n\0003\n";
	assert_int_equal(merge_file(&context, &rule, &input, &output, NULL), 1);
	assert_memory_equal(output.data, "0\n2\n3\n", 6);
	merge_output_release(&output);
	rule.name = (char *)"ours";
	input.theirs = (struct merge_side){ "0\n", 2, "theirs" };
	assert_int_equal(merge_file(&context, &rule, &input, &output, NULL), 0);
	assert_memory_equal(output.data, "0\n2\n3\n", 6);
	merge_output_release(&output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_read_from_the_file_of_ours),
		cmocka_unit_test(placeholders_are_those_of_git),
		cmocka_unit_test(exit_status_is_read_as_git_does),
		cmocka_unit_test(drivers_are_cut_off_from_the_daemon),
		cmocka_unit_test(a_driver_that_hangs_is_killed),
		cmocka_unit_test(what_a_driver_leaves_running_is_killed),
		cmocka_unit_test(results_that_are_no_files_are_refused),
		cmocka_unit_test(results_are_bounded),
		cmocka_unit_test(what_it_says_is_logged),
		cmocka_unit_test(types_need_no_repository),
	};

	return cmocka_run_group_tests_name("merge_driver", tests, setup,
					   teardown);
}
