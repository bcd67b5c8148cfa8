/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/test.h"
#include "store/commit.h"
#include "store/git_repo.h"
#include "store/merge.h"
#include "tests/trees.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Random histories of three branches that edit, add, remove and retype files
 * and merge each other, criss-cross too; each merge is compared with Git's. */

#define BRANCHES 3
#define PATHS 12
#define LINES 12

static char folder[] = "/tmp/model_merge.XXXXXX";
static struct git_repo *repo;
static struct odb *odb;
static int64_t now;

/* ---- a branch as a list of files ---- */

static const char *const names[PATHS] = {
	"a", "a.c", "b/c", "b/d", "b/e/f", "b/e/g", "b0", "u.union", "v.union",
	"w.bin", "z/y", "z/y/x",
};

struct file {
	uint32_t mode;			/* 0: absent */
	char lines[LINES][8];
};

struct branch_files {
	struct file file[PATHS];
	struct oid head;
};

/* No two paths have lines in common, so that Git finds no renames: `git
 * merge-tree` cannot be told not to look for them. */
static void fill(struct file *file, int at)
{
	file->mode = MODE_FILE;
	for (int i = 0; i < LINES; i++)
		snprintf(file->lines[i], sizeof(file->lines[i]), "%c%d",
			 'a' + at, i);
}

static void remove_below(struct branch_files *b, int at)
{
	size_t length = strlen(names[at]);

	for (int i = 0; i < PATHS; i++)
		if ((strncmp(names[i], names[at], length) == 0 &&
		     names[i][length] == '/') ||
		    (strncmp(names[at], names[i], strlen(names[i])) == 0 &&
		     names[at][strlen(names[i])] == '/'))
			b->file[i].mode = 0;
}

static void edit(struct branch_files *b)
{
	int at = roll(PATHS);
	struct file *file = &b->file[at];

	if (!file->mode) {
		fill(file, at);
		remove_below(b, at);
		if (roll(3) == 0)
			snprintf(file->lines[roll(LINES)], 8, "%c%u",
				 'a' + at, roll(100));
		return;
	}
	switch (roll(12)) {
	case 0:
		file->mode = 0;
		break;
	case 1:
		file->mode = file->mode == MODE_FILE ? MODE_EXECUTABLE :
						       MODE_FILE;
		break;
	case 2:
		file->mode = file->mode == MODE_SYMLINK ? MODE_FILE :
							  MODE_SYMLINK;
		break;
	default:
		snprintf(file->lines[roll(LINES)], 8, "%c%u", 'a' + at,
			 roll(100));
	}
}

/* Our tree as files, after a merge. */
static void look_up(const struct oid *tree, int at, struct file *ret)
{
	struct tree_entry entry;
	char *data, *save = NULL;
	size_t size;
	int r = tree_resolve(odb, tree, names[at], &entry), i = 0;

	ret->mode = 0;
	if (r < 0 || entry.mode == MODE_TREE)
		return;
	fill(ret, at);
	ret->mode = entry.mode;
	assert_int_equal(odb_read(odb, &entry.oid, OBJECT_BLOB, (void **)&data,
				  &size), 0);
	for (char *line = strtok_r(data, "\n", &save); line && i < LINES;
	     line = strtok_r(NULL, "\n", &save))
		snprintf(ret->lines[i++], 8, "%.7s", line);
	free(data);
}

static struct oid write_tree(const struct branch_files *b)
{
	struct text_entry entries[PATHS];
	size_t count = 0;

	for (int i = 0; i < PATHS; i++) {
		scoped_buffer struct buffer text = { 0 };
		const struct file *file = &b->file[i];

		if (!file->mode)
			continue;
		entries[count].mode = file->mode;
		entries[count].path = (char *)names[i];
		for (int j = 0; j < LINES; j++)
			buffer_printf(&text, "%s\n", file->lines[j]);
		assert_int_equal(odb_write(odb, OBJECT_BLOB, text.data,
					   text.length, &entries[count].oid),
				 0);
		count++;
	}
	return text_store(odb, entries, count, 0);
}

static struct oid write_commit(const struct oid *tree, const struct oid *first,
			       const struct oid *second)
{
	struct oid parents[2], oid;
	struct commit commit = { .tree = *tree, .parents = parents,
				 .message = (char *)"m\n" };

	if (first)
		parents[commit.parent_count++] = *first;
	if (second)
		parents[commit.parent_count++] = *second;
	now++;
	signature_init(&commit.author, "A", "a@b", now, 0);
	signature_init(&commit.committer, "A", "a@b", now, 0);
	assert_int_equal(commit_write(odb, &commit, &oid), 0);
	signature_release(&commit.author);
	signature_release(&commit.committer);
	return oid;
}

/* ---- Git's answer ---- */

/* 0 clean, 1 conflict; ret_text: the tree */
static int git_merge_tree(const struct oid *ours, const struct oid *theirs,
			  struct oid *ret_tree)
{
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE], command[512], line[128] = "";
	FILE *out;
	int status;

	assert_int_equal(odb_flush(odb), 0);
	snprintf(command, sizeof(command),
		 "git -C %s merge-tree --write-tree %s %s", folder,
		 oid_hex(ours, a), oid_hex(theirs, b));
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	while (fgets(command, sizeof(command), out))
		;
	status = pclose(out);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	line[40] = '\0';
	assert_int_equal(oid_parse(line, ret_tree), 0);
	return WEXITSTATUS(status);
}

/* ---- comparing ---- */

static unsigned int merges, clean, several;

static void show_difference(const struct oid *ours, const struct oid *theirs,
			    const struct oid *mine, const struct oid *git)
{
	char *a = tree_to_text(odb, mine), *b = tree_to_text(odb, git);
	char x[OID_HEX_SIZE], y[OID_HEX_SIZE];

	print_message("%s %s\nour merge:\n%sgit's:\n%s", oid_hex(ours, x),
		      oid_hex(theirs, y), a, b);
	free(a);
	free(b);
}

static struct oid merge(struct branch_files *to, const struct branch_files *from)
{
	const struct merge_context context = {
		.odb = odb, .ours_label = "ours", .theirs_label = "theirs",
	};
	struct merge_result result;
	struct oid git, tree, *bases = NULL;
	size_t base_count = 0;
	struct report report = { "" };
	int conflict = git_merge_tree(&to->head, &from->head, &git);

	assert_int_equal(merge_commits(repo, &context, &to->head, &from->head,
				       &result, &report), 0);
	assert_int_equal(git_find_merge_bases(repo, &to->head, &from->head,
					      &bases, &base_count), 0);
	free(bases);
	merges++;
	several += base_count > 1;
	clean += !conflict;
	if (!conflict && !oid_equal(&result.tree, &git))
		show_difference(&to->head, &from->head, &result.tree, &git);
	if (!conflict) {
		assert_int_equal(result.conflict_count, 0);
		assert_true(oid_equal(&result.tree, &git));
	} else {
		assert_int_not_equal(result.conflict_count, 0);
	}
	tree = result.tree;
	merge_result_release(&result);
	return tree;
}

static void merge_into(struct branch_files *to, const struct branch_files *from)
{
	struct oid tree;

	if (git_is_ancestor(repo, &from->head, &to->head))
		return;
	tree = merge(to, from);
	for (int i = 0; i < PATHS; i++)
		look_up(&tree, i, &to->file[i]);
	to->head = write_commit(&tree, &to->head, &from->head);
}

/* Each takes what the other was: the next merge has two bases. */
static void cross(struct branch_files *a, struct branch_files *b)
{
	struct branch_files a_before = *a, b_before = *b;

	merge_into(a, &b_before);
	merge_into(b, &a_before);
}

static void one_history(uint64_t number)
{
	struct branch_files branch[BRANCHES] = { 0 };
	struct oid tree;

	roll_seed = number;
	for (int i = 0; i < 10; i++)
		edit(&branch[0]);
	tree = write_tree(&branch[0]);
	branch[0].head = write_commit(&tree, NULL, NULL);
	for (int i = 1; i < BRANCHES; i++)
		branch[i] = branch[0];
	for (int step = 0; step < 25; step++) {
		struct branch_files *b = &branch[roll(BRANCHES)];

		switch (roll(6)) {
		case 0:
			merge_into(b, &branch[roll(BRANCHES)]);
			continue;
		case 1:
			cross(b, &branch[roll(BRANCHES)]);
			continue;
		}
		for (unsigned int i = roll(3); i < 3; i++)
			edit(b);
		tree = write_tree(b);
		b->head = write_commit(&tree, &b->head, NULL);
	}
}

static void merges_agree_with_git(void **state)
{
	const char *rounds = getenv("MODEL_ROUNDS");
	uint64_t count = rounds ? strtoull(rounds, NULL, 10) : 8;

	for (uint64_t i = 0; i < count; i++)
		one_history(i);
	print_message("# %u merges, %u clean, %u with several bases\n", merges,
		      clean, several);
	assert_true(clean > merges / 10 && clean < merges && several > 0);
}

static int setup(void **state)
{
	struct report report = { "" };
	char path[64];
	FILE *file;

	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	if (!mkdtemp(folder) || git_repo_open(folder, true, &repo, &report))
		return -1;
	odb = git_repo_odb(repo);
	snprintf(path, sizeof(path), "%s/info", folder);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/info/attributes", folder);
	file = fopen(path, "w");
	if (!file)
		return -1;
	fputs("*.union merge=union\n*.bin -merge\n", file);
	return fclose(file);
}

static int teardown(void **state)
{
	char command[64];

	git_repo_free(repo);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(merges_agree_with_git, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
