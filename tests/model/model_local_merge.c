/* SPDX-License-Identifier: ISC */
#include "tests/local_view.h"
#include "store/local_merge.h"
#include "store/local_store.h"
#include "store/merge_private.h"
#include "store/pool.h"
#include "store/worktree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
/* after the others: its names are short */
#include "tests/faces.h"
#include "tests/random.h"

/* A branch with random files and a fork of it, both changed at random; the fork is
 * merged into the branch.  What the work tree shows then, what a mount shows that
 * has only the merge's cut, and what one shows after the next cut is the same, and
 * is what a plain list of paths says: see check(). */

#define ROUNDS 2500
#define STEPS 40
#define NAMES 4

static struct timespec now = { 1000, 0 };

struct side {
	struct worktree *w;
	struct oid tree, face;
};

static void tick(struct timespec *ret)
{
	now.tv_nsec += 1000003;
	if (now.tv_nsec >= 1000000000) {
		now.tv_nsec -= 1000000000;
		now.tv_sec++;
	}
	*ret = now;
}

static void mount(struct side *s)
{
	struct worktree_options options = {
		.odb = odb, .local = local, .pool = pool, .clock = tick,
		.incarnation = 1, .tree = s->tree, .face = s->face,
		.time = { 500, 0 },
	};

	assert_int_equal(worktree_new(&options, &s->w), 0);
}

/* ---- changes and cuts ---- */

static const char *some_name(void)
{
	static const char *const names[NAMES] = { "a", "b", "c", "d" };

	return names[roll(NAMES)];
}

static struct node *some_directory(struct side *s)
{
	struct node *dir = worktree_root(s->w), *child;

	for (int i = 0; i < 3 && roll(3) &&
			node_lookup(dir, some_name(), &child) == 0; i++) {
		if (node_type(child) != S_IFDIR) {
			node_unref(child);
			break;
		}
		node_unref(dir);
		dir = child;
	}
	return dir;
}

static void set_something(struct node *n)
{
	struct stat values = {
		.st_mode = roll(0777), .st_uid = roll(5), .st_gid = roll(5),
		.st_mtim = { (int64_t)roll(100000) - 500, roll(1000000000) },
	};

	node_set_attributes(n, &values, 1 + roll(31));
}

static void change(struct side *s)
{
	static const struct caller caller = { .uid = 1, .gid = 2 };
	struct node *dir = some_directory(s), *n = NULL;
	const char *name = some_name();
	char text[2] = { (char)('0' + roll(10)), '\0' };

	switch (roll(8)) {
	case 0:
		node_make(dir, name, S_IFREG | roll(0777), &caller, &n);
		break;
	case 1:
	case 2:
		node_make(dir, name, S_IFDIR | roll(0777), &caller, &n);
		break;
	case 3:
		node_unlink(dir, name);
		break;
	case 4:
		node_rmdir(dir, name);
		break;
	case 5:
		if (node_lookup(dir, name, &n) == 0)
			node_write(n, text, 1, 0, false);
		break;
	case 6:
		set_something(dir);
		break;
	default:
		if (node_lookup(dir, name, &n) == 0)
			set_something(n);
	}
	node_unref(n);
	node_unref(dir);
}

static int keep(void *context, struct delta *delta)
{
	*(struct delta **)context = delta;
	return 0;
}

static void store(struct side *s, struct delta *delta, bool foreign,
		  const struct timespec *time)
{
	static const struct timespec base = { 500, 0 };

	assert_int_equal(delta_store(delta, odb, &s->tree), 0);
	assert_int_equal(local_store(delta, local, &s->face, foreign, &base,
				     time, &s->face), 0);
	s->tree = delta->oid;
}

static void cut(struct side *s)
{
	struct delta *delta = NULL;

	assert_int_equal(worktree_capture(s->w, keep, &delta), 0);
	if (!delta)
		return;
	store(s, delta, false, &now);
	worktree_adopt(s->w, delta);
	delta_free(delta);
}

static void change_much(struct side *s)
{
	unsigned int count = roll(STEPS);

	for (unsigned int i = 0; i < count; i++) {
		change(s);
		if (roll(20) == 0)
			cut(s);
	}
	cut(s);
	if (roll(2)) {		/* not everything is loaded */
		worktree_unref(s->w);
		mount(s);
	}
}

/* ---- what should be ---- */

struct case_ {
	struct view *base, *ours, *theirs, *merged;
	struct oid ours_tree, theirs_tree, merged_tree;
	bool has_base;
	struct timespec time;
};

static bool is_directory(const struct stat *st)
{
	return st && S_ISDIR(st->st_mode);
}

static bool same_type(const struct stat *a, const struct stat *b)
{
	return a && b && (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

static bool same_attributes(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid;
}

static bool same_mtime(const struct stat *a, const struct stat *b)
{
	return memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0;
}

static bool in_git(const struct oid *tree, const char *path,
		   struct tree_entry *ret)
{
	int r = tree_resolve(odb, tree, path, ret);

	assert_true(r == 0 || r == -ENOENT || r == -ENOTDIR);
	return r == 0;
}

/* As far as Git's mode does not tell otherwise. */
static mode_t fitting(mode_t mode, uint32_t git)
{
	if (mode_is_executable(git) && !(mode & 0100))
		mode |= 0100 | (mode & 0444) >> 2;
	if (mode_is_file(git) && !mode_is_executable(git) && (mode & 0100))
		mode &= ~0111;
	return mode;
}

static const struct stat *three_ways(const struct case_ *c,
				     const struct stat *base,
				     const struct stat *ours,
				     const struct stat *theirs)
{
	if (!c->has_base || !same_type(ours, theirs) || !same_type(ours, base))
		return ours;
	return same_attributes(ours, base) ? theirs : ours;
}

static void check_file(const struct case_ *c, const struct seen *seen,
		       const struct tree_entry *git)
{
	const struct stat *base = find(c->base, seen->path);
	const struct stat *ours = find(c->ours, seen->path);
	const struct stat *theirs = find(c->theirs, seen->path), *wanted;
	struct tree_entry before, other;
	bool same = in_git(&c->ours_tree, seen->path, &before) &&
		    oid_equal(&before.oid, &git->oid) &&
		    before.mode == git->mode;

	wanted = same_type(ours, &seen->st) ?
		three_ways(c, base, ours, theirs) : theirs;
	if (!wanted || seen->st.st_uid != wanted->st_uid ||
	    seen->st.st_gid != wanted->st_gid ||
	    seen->st.st_mode != fitting(wanted->st_mode, git->mode))
		fail_msg("'%s' is %o %u", seen->path, seen->st.st_mode,
			 seen->st.st_uid);
	if (!same_type(ours, &seen->st)) {
		assert_true(in_git(&c->theirs_tree, seen->path, &other));
		assert_true(same_mtime(&seen->st, theirs));
	} else if (!same) {
		assert_memory_equal(&seen->st.st_mtim, &c->time,
				    sizeof(c->time));
	} else if (c->has_base && same_type(ours, base) &&
		   same_type(ours, theirs) && same_mtime(ours, base)) {
		assert_true(same_mtime(&seen->st, theirs));
	} else {
		assert_true(same_mtime(&seen->st, ours));
	}
}

static void check_directory(const struct case_ *c, const struct seen *seen)
{
	const struct stat *ours = find(c->ours, seen->path);
	const struct stat *theirs = find(c->theirs, seen->path);
	const struct stat *wanted = is_directory(ours) ?
		three_ways(c, find(c->base, seen->path), ours, theirs) : theirs;

	if (!wanted || !same_attributes(&seen->st, wanted))
		fail_msg("folder '%s' is %o %u", seen->path, seen->st.st_mode,
			 seen->st.st_uid);
}

static bool is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* Whether in a side all below a folder are folders that the base had. */
static bool only_known(const struct case_ *c, const struct view *side,
		       const char *folder)
{
	for (size_t i = 0; i < side->count; i++) {
		const struct seen *s = &side->seen[i];
		struct tree_entry git;

		if (!is_below(s->path, folder))
			continue;
		if (!S_ISDIR(s->st.st_mode) ?
		    in_git(&c->merged_tree, s->path, &git) :
		    !is_directory(find(c->base, s->path)))
			return false;
	}
	return true;
}

/* A folder in one side, which Git does not have in the end. */
static void check_absence(const struct case_ *c, const char *path)
{
	bool base = is_directory(find(c->base, path));
	bool ours = is_directory(find(c->ours, path));
	bool theirs = is_directory(find(c->theirs, path));
	bool merged = is_directory(find(c->merged, path));
	struct tree_entry git;

	for (const char *p = path; *p; p++) {
		char above[PATH_SIZE];

		if (p[1] && p[1] != '/')
			continue;
		snprintf(above, (size_t)(p - path) + 2, "%s", path);
		if (in_git(&c->merged_tree, above, &git) &&
		    git.mode != MODE_TREE)
			return;		/* a file is in its place */
	}
	if (in_git(&c->merged_tree, path, &git))
		return;
	if (ours && theirs && !merged)
		fail_msg("folder '%s' of both is lost", path);
	if (ours && !base && !merged)
		fail_msg("folder '%s' of ours is lost", path);
	if (theirs && !ours && !base && !merged)
		fail_msg("folder '%s' of theirs did not come", path);
	if (c->has_base && base && ours && !theirs && merged &&
	    only_known(c, c->ours, path) && !find(c->theirs, path))
		fail_msg("folder '%s', which theirs removed, stays", path);
	if (c->has_base && base && !ours && theirs && merged &&
	    only_known(c, c->theirs, path))
		fail_msg("folder '%s', which ours removed, is back", path);
}

static void check(const struct case_ *c)
{
	for (size_t i = 0; i < c->merged->count; i++) {
		const struct seen *seen = &c->merged->seen[i];
		struct tree_entry git;

		if (S_ISDIR(seen->st.st_mode))
			check_directory(c, seen);
		else if (!in_git(&c->merged_tree, seen->path, &git))
			fail_msg("'%s' should not be there", seen->path);
		else
			check_file(c, seen, &git);
	}
	for (size_t i = 0; i < c->ours->count; i++)
		if (S_ISDIR(c->ours->seen[i].st.st_mode))
			check_absence(c, c->ours->seen[i].path);
	for (size_t i = 0; i < c->theirs->count; i++)
		if (S_ISDIR(c->theirs->seen[i].st.st_mode))
			check_absence(c, c->theirs->seen[i].path);
}

/* ---- merging ---- */

static int prefer_ours(void *context, const char *path, struct merge_rule *ret)
{
	ret->name = strdup("ours");
	return 0;
}

static int take(void *context, struct delta *delta)
{
	*(struct timespec *)context = now;
	return 0;
}

static struct delta *merge(const struct side *base, const struct side *ours,
			   const struct side *theirs, bool has_base)
{
	const struct merge_context context = {
		.odb = odb, .rule = prefer_ours,
	};
	struct local_merge faces = {
		.odb = odb, .local = local, .ours = ours->face,
		.theirs = theirs->face, .ours_tree = ours->tree,
		.theirs_tree = theirs->tree,
	};
	struct merge_result result = { 0 };
	struct delta *delta;
	char *path = NULL;

	if (has_base)
		faces.base = base->face;
	assert_int_equal(merge_trees(&context, &base->tree, &ours->tree,
				     &theirs->tree, &result, NULL), 0);
	assert_int_equal(merge_open_changes(odb, &ours->tree, result.changes),
			 0);
	delta = STEAL(result.changes);
	merge_result_release(&result);
	assert_int_equal(local_merge(&faces, delta, &path), 0);
	return delta;
}

static void merge_and_check(const struct side *base, struct side *ours,
			    struct side *theirs, struct view *before)
{
	struct case_ c = {
		.base = before, .ours = view_of(ours->w),
		.theirs = view_of(theirs->w), .ours_tree = ours->tree,
		.theirs_tree = theirs->tree, .has_base = roll(4),
	};
	struct delta *delta = merge(base, ours, theirs, c.has_base);
	struct view *at_once, *later;
	char *path = NULL;

	assert_int_equal(worktree_apply(ours->w, delta, NULL, take, &c.time,
					&path), 0);
	c.merged_tree = delta->oid;
	store(ours, delta, true, &c.time);
	assert_memory_equal(&ours->tree, &c.merged_tree, sizeof(ours->tree));
	c.merged = view_of(ours->w);
	{
		struct side crashed = *ours;

		mount(&crashed);
		at_once = view_of(crashed.w);
		worktree_unref(crashed.w);
	}
	cut(ours);
	worktree_unref(ours->w);
	mount(ours);
	later = view_of(ours->w);
	tell("base", before);
	tell("ours", c.ours);
	tell("theirs", c.theirs);
	tell("merged", c.merged);
	tell("mounted", at_once);
	compare("with the merge's cut alone", at_once, c.merged);
	compare("after another cut", later, c.merged);
	check(&c);
	delta_free(delta);
	free(c.ours);
	free(c.theirs);
	free(c.merged);
	free(at_once);
	free(later);
}

/* With facts of the root, which it has not by itself. */
static struct side make_base(void)
{
	struct side base = { 0 };
	const struct stat values = { .st_mode = 0755 };
	struct node *root;

	mount(&base);
	root = worktree_root(base.w);
	node_set_attributes(root, &values, NODE_SET_MODE);
	node_unref(root);
	for (unsigned int i = 0; i < 2 * STEPS; i++)
		change(&base);
	cut(&base);
	return base;
}

static void faces_merge_three_ways(void **state)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct side base, ours, theirs;
		struct view *before;

		roll_seed = round;
		base = make_base();
		before = view_of(base.w);
		ours = theirs = base;
		mount(&ours);
		mount(&theirs);
		change_much(&ours);
		change_much(&theirs);
		merge_and_check(&base, &ours, &theirs, before);
		free(before);
		worktree_unref(base.w);
		worktree_unref(ours.w);
		worktree_unref(theirs.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faces_merge_three_ways),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
