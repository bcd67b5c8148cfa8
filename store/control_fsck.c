/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"
#include "store/irmin_attribute.h"

#include <errno.h>
#include <stdio.h>

/* Checks what the branches reach: commits and trees are read and decoded, of
 * files only the headers are looked at (git fsck reads everything).  The heads
 * come first, then history, newest found first, up to OBJECTS_MAX. */

#define OBJECTS_MAX ((size_t)1 << 20)
#define PROBLEMS_MAX 1000
#define DEPTH_MAX 512

struct queued {
	struct oid commit;
	size_t branch;			/* that it was first reached from */
};

struct fsck {
	struct control *control;
	json_t *problems;
	char **branches;		/* names */
	size_t branch_count;
	struct oid_set seen, shallow;
	struct queued *queue;		/* from `next` on to be checked */
	size_t next, count, capacity;
	struct buffer path;		/* below the commit's tree */
	struct queued now;		/* being checked */
};

static void fsck_release(struct fsck *f)
{
	oid_set_release(&f->seen);
	oid_set_release(&f->shallow);
	buffer_release(&f->path);
	free(f->queue);
	for (size_t i = 0; i < f->branch_count; i++)
		free(f->branches[i]);
	free(f->branches);
}

static bool is_full(const struct fsck *f)
{
	return f->seen.count >= OBJECTS_MAX ||
	       json_array_size(f->problems) >= PROBLEMS_MAX;
}

/* Takes the sentence that was printed into text. */
static int add_problem(struct fsck *f, const struct buffer *text)
{
	return reply_append(f->problems, json_text(text->data));
}

/* Goes on after damage, ends without memory. */
static int object_problem(struct fsck *f, const char *what,
			  const struct oid *oid, int error)
{
	scoped_buffer struct buffer text = { 0 };
	char hex[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	int r;

	if (error == -ENOMEM)
		return error;
	r = buffer_printf(&text, "Branch %s: in commit %s %s %s%s%s %s.",
			  f->branches[f->now.branch],
			  oid_hex(&f->now.commit, commit), what,
			  oid_hex(oid, hex), f->path.length ? " at " : "",
			  f->path.length ? f->path.data : "",
			  error == -EUCLEAN ? "is damaged" :
			  "is missing or cannot be read");
	return r ? r : add_problem(f, &text);
}

/* ---- objects ---- */

static int check_blob(struct fsck *f, const struct oid *oid)
{
	enum object_type type;
	int r = oid_set_add(&f->seen, oid);

	if (r <= 0)
		return r;
	r = odb_read_header(f->control->store->odb, oid, &type, NULL);
	if (!r && type != OBJECT_BLOB)
		r = -EUCLEAN;
	return r ? object_problem(f, "the file", oid, r) : 0;
}

static int check_tree(struct fsck *f, const struct oid *oid,
		      unsigned int depth);

static int check_entry(struct fsck *f, const struct tree_entry *entry,
		       unsigned int depth)
{
	size_t length = f->path.length;
	int r;

	if (entry->mode == MODE_SUBMODULE)
		return 0;
	r = buffer_printf(&f->path, "%s%s", length ? "/" : "", entry->name);
	if (!r)
		r = entry->mode == MODE_TREE ?
			check_tree(f, &entry->oid, depth - 1) :
			check_blob(f, &entry->oid);
	f->path.length = length;
	if (f->path.data)
		f->path.data[length] = '\0';
	return r;
}

/* What is missing is told where it is looked at. */
static int check_node(struct fsck *f, const struct oid *oid)
{
	int r = contents_kind()->check(f->control->store->odb, oid);

	return r == -EUCLEAN || r == -ENOMEM ?
		object_problem(f, "the rope", oid, r) : 0;
}

/* Depth is bounded, so that a made-up tree cannot use up the stack. */
static int check_tree(struct fsck *f, const struct oid *oid, unsigned int depth)
{
	struct tree *tree;
	int r = oid_set_add(&f->seen, oid);

	if (r <= 0 || is_full(f))
		return r < 0 ? r : 0;
	r = depth ? tree_read(f->control->store->odb, oid, &tree) : -EUCLEAN;
	if (r)
		return object_problem(f, "the folder", oid, r);
	if (contents_may_be_rope(tree))
		r = check_node(f, oid);
	for (size_t i = 0; !r && i < tree->count; i++)
		r = check_entry(f, &tree->entries[i], depth);
	tree_free(tree);
	return r;
}

static int queue_commit(struct fsck *f, const struct oid *oid, size_t branch)
{
	int r = oid_set_add(&f->seen, oid);

	if (r <= 0)
		return r;
	if (f->count == f->capacity) {
		size_t more = f->capacity ? 2 * f->capacity : 256;
		struct queued *grown = reallocarray(f->queue, more,
						    sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		f->queue = grown;
		f->capacity = more;
	}
	f->queue[f->count++] = (struct queued){ *oid, branch };
	return 0;
}

static int check_commit(struct fsck *f, const struct queued *queued)
{
	const struct oid *oid = &f->now.commit;
	struct commit *commit;
	int r;

	f->now = *queued;	/* a copy, since the queue may move */
	r = commit_read(f->control->store->odb, oid, &commit);
	if (r)
		return object_problem(f, "the object", oid, r);
	r = check_tree(f, &commit->tree, DEPTH_MAX);
	if (!oid_set_has(&f->shallow, oid))
		for (size_t i = 0; !r && i < commit->parent_count; i++)
			r = queue_commit(f, &commit->parents[i],
					 f->now.branch);
	commit_free(commit);
	return r;
}

/* ---- branches and refs ---- */

static int branch_problem(struct fsck *f, const char *name, const char *words)
{
	scoped_buffer struct buffer text = { 0 };
	int r = buffer_printf(&text, "Branch %s: %s", name, words);

	return r ? r : add_problem(f, &text);
}

static int describe_ref(struct fsck *f, const char *name,
			const struct oid *head, const struct oid *ref, int error)
{
	char ours[OID_HEX_SIZE], theirs[OID_HEX_SIZE], words[256];

	if (error)
		snprintf(words, sizeof(words), "its ref %s, it should be %s.",
			 error == -ENOENT ? "is missing" : "cannot be read",
			 oid_hex(head, ours));
	else
		snprintf(words, sizeof(words), "its ref is at %s, it should "
			 "be %s.", oid_hex(ref, theirs), oid_hex(head, ours));
	return branch_problem(f, name, words);
}

/* Cuts may go on meanwhile: only a ref that stays different is a problem, and not
 * one that git inside moved and that the branch follows with its next commit. */
static int check_ref(struct fsck *f, struct branch *b, const char *name,
		     struct oid *head)
{
	struct git_repo *repo = f->control->store->repo;
	scoped_buffer struct buffer full = { 0 };
	struct oid ref;
	int r = buffer_printf(&full, "refs/heads/%s", name), error = 0;

	for (int i = 0; !r && i < 3; i++) {
		error = git_ref_read(repo, full.data, &ref);
		if (!error && (oid_equal(&ref, head) || b->git_waits))
			return 0;
		r = branch_head(b, head);
	}
	return r ? r : describe_ref(f, name, head, &ref, error);
}

static int add_branch(struct fsck *f, const char *name)
{
	char **grown = reallocarray(f->branches, f->branch_count + 1,
				    sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	f->branches = grown;
	grown[f->branch_count] = strdup(name);
	if (!grown[f->branch_count])
		return -ENOMEM;
	f->branch_count++;
	return 0;
}

/* What cannot be read is told when the commit is checked. */
static int check_attributes(struct fsck *f, const char *name,
			    const struct oid *head)
{
	struct odb *odb = f->control->store->odb;
	struct tree_entry entry;
	struct commit *commit;
	int r = commit_read(odb, head, &commit);

	if (r)
		return r == -ENOMEM ? r : 0;
	r = tree_resolve(odb, &commit->tree, ATTRIBUTES_NAME, &entry);
	commit_free(commit);
	if (r)
		return r == -ENOMEM ? r : 0;
	return entry.mode != MODE_TREE ? 0 :
		branch_problem(f, name, "its " ATTRIBUTES_NAME " is a tree (a "
			       "folder or a rope), so that its lines do not "
			       "count; replace it by a file.");
}

static int check_branch(struct fsck *f, struct branch *b,
			const struct branch_facts *facts)
{
	struct oid head;
	int r = branch_head(b, &head);

	if (r == -ENOENT)
		return 0;
	if (add_branch(f, facts->name))
		return -ENOMEM;
	if (r)
		return branch_problem(f, facts->name, "what is changed cannot "
				      "be saved at present.");
	r = queue_commit(f, &head, f->branch_count - 1);
	if (!r)
		r = check_attributes(f, facts->name, &head);
	if (!r && facts->stuck)
		return branch_problem(f, facts->name, facts->stuck);
	return r ? r : check_ref(f, b, facts->name, &head);
}

static int visit_branch(void *context, const struct branch_facts *facts)
{
	struct fsck *f = context;
	struct branch *b;
	int r;

	if (store_branch(f->control->store, facts->name, &b))
		return 0;
	r = check_branch(f, b, facts);
	branch_unref(b);
	return r == -ENOENT ? 0 : r;
}

static int visit_ref(void *context, const char *name, const struct oid *oid,
		     const struct oid *peeled)
{
	struct fsck *f = context;
	const char *branch = name + strlen("refs/heads/");
	struct branch *b;

	if (oid_is_zero(peeled))
		return branch_problem(f, branch, "its ref is broken.");
	if (store_branch(f->control->store, branch, &b))
		return branch_problem(f, branch, "there is a ref that the "
				      "store has not taken over; it does when "
				      "it is opened next.");
	branch_unref(b);
	return 0;
}

/* ---- the request ---- */

static int check_shallow(struct fsck *f)
{
	int r = shallow_read(f->control->store->repo, &f->shallow);

	if (r != -EUCLEAN)
		return r;
	return reply_append(f->problems, json_string(
		"The repository's file shallow has a line that is no commit's "
		"id: with that neither git nor merges and log can read "
		"histories."));
}

static int check_all(struct fsck *f)
{
	scoped_buffer struct buffer text = { 0 };
	struct store *store = f->control->store;
	int r = check_shallow(f);

	if (!r)
		r = store_each(store, false, visit_branch, f);
	if (!r)
		r = git_refs_each(store->repo, "refs/heads/", visit_ref, f);
	while (!r && f->next < f->count && !is_full(f))
		r = check_commit(f, &f->queue[f->next++]);
	if (!r)
		r = control_fsck_local(store, f->problems);
	if (r || f->seen.count < OBJECTS_MAX)
		return r;
	r = buffer_printf(&text, "Only the first %zu objects were checked; "
			  "git fsck checks all.", OBJECTS_MAX);
	return r ? r : add_problem(f, &text);
}

int control_fsck(struct control *c, json_t *reply)
{
	scoped(fsck_release) struct fsck f = { .control = c };
	int r;

	f.problems = json_array();
	r = f.problems ? check_all(&f) : -ENOMEM;
	if (!r)
		r = reply_set(reply, "branches", json_integer(f.branch_count));
	if (r) {
		json_decref(f.problems);
		return r;
	}
	return reply_set(reply, "problems", f.problems);
}
