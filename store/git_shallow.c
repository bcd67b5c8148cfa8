/* SPDX-License-Identifier: ISC */
#include "store/git_shallow.h"
#include "store/commit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(node) ((node)->unhashed = true)
#include <uthash.h>

#define SHALLOW_FILE_MOST ((size_t)64 << 20)

enum {
	FROM_A = 1,		/* reached from the first commit */
	FROM_B = 2,		/* reached from the second */
	BOUNDARY = 4,		/* its parents are not here */
	DOMINATED = 8,		/* parent of a common ancestor */
};
#define COMMON (FROM_A | FROM_B)

struct node {
	struct oid oid;
	unsigned int flags;
	bool loaded, unhashed;
	size_t parent_count;
	struct oid *parents;
	struct node *next;	/* on the walk's stack */
	UT_hash_handle hh;
};

struct walk {
	struct git_repo *repo;
	struct node *nodes;	/* by oid */
};

bool git_is_shallow(struct git_repo *repo)
{
	struct stat st;

	return fstatat(git_repo_dir_fd(repo), "shallow", &st, 0) == 0 &&
	       st.st_size > 0;
}

int git_shallow_each(struct git_repo *repo, git_shallow_visit *visit,
		     void *context)
{
	scoped_buffer struct buffer text = { 0 };
	struct oid oid;
	int r = read_file(git_repo_dir_fd(repo), "shallow", SHALLOW_FILE_MOST,
			  &text);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (const char *line = text.data; line && *line;) {
		if (oid_parse(line, &oid) < 0)
			return -EUCLEAN;
		r = visit(context, &oid);
		if (r < 0)
			return r;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return 0;
}

static struct node *get_node(struct walk *w, const struct oid *oid)
{
	struct node *node;

	HASH_FIND(hh, w->nodes, oid, sizeof(*oid), node);
	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->oid = *oid;
	HASH_ADD(hh, w->nodes, oid, sizeof(node->oid), node);
	if (node->unhashed) {
		free(node);
		return NULL;
	}
	return node;
}

static void walk_release(struct walk *w)
{
	struct node *node, *next;

	HASH_ITER(hh, w->nodes, node, next) {
		HASH_DEL(w->nodes, node);
		free(node->parents);
		free(node);
	}
}

static int mark_boundary(void *walk, const struct oid *oid)
{
	struct node *node = get_node(walk, oid);

	if (!node)
		return -ENOMEM;
	node->flags |= BOUNDARY;
	return 0;
}

static int load(struct walk *w, struct node *node)
{
	struct commit *commit;
	int r;

	if (node->loaded)
		return 0;
	r = commit_read(git_repo_odb(w->repo), &node->oid, &commit);
	if (r < 0)
		return r;
	if (!(node->flags & BOUNDARY)) {
		node->parents = STEAL(commit->parents);
		node->parent_count = commit->parent_count;
		commit->parent_count = 0;
	}
	node->loaded = true;
	commit_free(commit);
	return 0;
}

static int push_parents(struct walk *w, struct node *node, unsigned int flag,
			struct node **stack)
{
	for (size_t i = 0; i < node->parent_count; i++) {
		struct node *parent = get_node(w, &node->parents[i]);

		if (!parent)
			return -ENOMEM;
		if (parent->flags & flag)
			continue;
		parent->flags |= flag;
		parent->next = *stack;
		*stack = parent;
	}
	return 0;
}

/* Marks everything that is reachable from a commit. */
static int paint(struct walk *w, const struct oid *from, unsigned int flag)
{
	struct node *stack = get_node(w, from);

	if (!stack)
		return -ENOMEM;
	stack->flags |= flag;
	stack->next = NULL;
	while (stack) {
		struct node *node = stack;
		int r = load(w, node);

		if (r < 0)
			return r;
		stack = node->next;
		r = push_parents(w, node, flag, &stack);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_common(const struct node *node)
{
	return (node->flags & COMMON) == COMMON;
}

/* The best common ancestors are those without a common child: common ancestors
 * are closed under parents. */
static size_t count_best(struct walk *w)
{
	size_t count = 0;

	for (struct node *n = w->nodes; n; n = n->hh.next)
		for (size_t i = 0; is_common(n) && i < n->parent_count; i++)
			get_node(w, &n->parents[i])->flags |= DOMINATED;
	for (struct node *n = w->nodes; n; n = n->hh.next)
		count += is_common(n) && !(n->flags & DOMINATED);
	return count;
}

/* What is hidden below a boundary commit of one side may belong to the other
 * side too, unless that side as a whole is known to; and below a common one, it
 * may lead to one of several best. */
static bool is_certain(struct walk *w, const struct node *a,
		       const struct node *b, size_t count)
{
	bool one_side = false, both_sides = false;

	for (struct node *n = w->nodes; n; n = n->hh.next) {
		if (!(n->flags & BOUNDARY))
			continue;
		if (is_common(n))
			both_sides = true;
		else if (n->flags & COMMON)
			one_side = true;
	}
	if (is_common(a) || is_common(b))
		return true;
	return !one_side && !(both_sides && count > 1);
}

static int collect_best(struct walk *w, size_t count, struct oid **ret,
			size_t *ret_count)
{
	struct oid *oids = NULL;
	size_t used = 0;

	if (count) {
		oids = malloc(count * sizeof(*oids));
		if (!oids)
			return -ENOMEM;
	}
	for (struct node *n = w->nodes; n; n = n->hh.next)
		if (is_common(n) && !(n->flags & DOMINATED))
			oids[used++] = n->oid;
	*ret = oids;
	*ret_count = used;
	return 0;
}

int git_shallow_merge_bases(struct git_repo *repo, const struct oid *a,
			    const struct oid *b, struct oid **ret,
			    size_t *ret_count)
{
	scoped(walk_release) struct walk w = { .repo = repo };
	size_t count;
	int r = git_shallow_each(repo, mark_boundary, &w);

	if (r == 0)
		r = paint(&w, a, FROM_A);
	if (r == 0)
		r = paint(&w, b, FROM_B);
	if (r < 0)
		return r;
	count = count_best(&w);
	if (!is_certain(&w, get_node(&w, a), get_node(&w, b), count))
		return -ENOTSUP;
	return collect_best(&w, count, ret, ret_count);
}

int git_shallow_is_ancestor(struct git_repo *repo, const struct oid *ancestor,
			    const struct oid *commit)
{
	scoped(walk_release) struct walk w = { .repo = repo };
	struct node *found;
	int r = git_shallow_each(repo, mark_boundary, &w);

	if (r == 0)
		r = paint(&w, commit, FROM_A);
	if (r < 0)
		return r;
	HASH_FIND(hh, w.nodes, ancestor, sizeof(*ancestor), found);
	if (found && found->flags & FROM_A)
		return 1;
	for (struct node *n = w.nodes; n; n = n->hh.next)
		if ((n->flags & BOUNDARY) && (n->flags & FROM_A))
			return -ENOTSUP;
	return 0;
}
