/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

/* Read-only views of commits.  The hash of views holds no references: who wants
 * a view that is in it takes one more, whoever gives the last one back takes
 * it out. */
struct view {
	struct store *store;
	struct oid commit;
	struct worktree *worktree;
	unsigned int users;		/* store->lock */
	UT_hash_handle hh;		/* store->lock */
};

/* ---- what a name means ---- */

/* -ENOENT for all that names no commit, also what Git cannot parse. */
static int resolve_git(struct store *store, const char *revision,
		       struct oid *ret)
{
	int r = git_revision_resolve(store->repo, revision, ret);

	return r == -EINVAL || r == -ENOTDIR ? -ENOENT : r;
}

static bool is_suffix(const char *text)
{
	return *text == '~' || *text == '^' || *text == '{';
}

/* The branch's published head and then "~3", "^2" or "{2026-11-01}". */
static int resolve_suffix(struct branch *b, const char *suffix,
			  struct oid *ret)
{
	scoped_buffer struct buffer text = { 0 };
	char hex[OID_HEX_SIZE];
	struct oid head;
	int r = branch_head(b, &head);

	if (r)
		return r;
	r = buffer_printf(&text, "%s%s%s", oid_hex(&head, hex),
			  *suffix == '{' ? "@" : "", suffix);
	return r ? r : resolve_git(b->store, text.data, ret);
}

/* "B@SUFFIX": the longest B that is a branch, since names may have an '@'. */
static int resolve_branch_suffix(struct store *store, const char *name,
				 struct oid *ret)
{
	for (size_t i = strlen(name); i > 1; i--) {
		scoped_free char *prefix = NULL;
		struct branch *b;
		int r;

		if (name[i - 1] != '@' || !is_suffix(name + i))
			continue;
		prefix = strndup(name, i - 1);
		if (!prefix)
			return -ENOMEM;
		if (store_branch(store, prefix, &b))
			continue;
		r = resolve_suffix(b, name + i, ret);
		branch_unref(b);
		return r;
	}
	return -ENOENT;
}

/* "4f2a91c" or "4f2a91c~2": what the digits name must begin with them, which a
 * branch or tag that looks like an id does not. */
static int resolve_id(struct store *store, const char *name, struct oid *ret,
		      bool *ret_fixed)
{
	size_t digits = strspn(name, "0123456789abcdefABCDEF");
	char text[OID_HEX_SIZE], hex[OID_HEX_SIZE];
	struct oid oid;
	int r;

	if (digits < 4 || digits >= sizeof(text) ||
	    (name[digits] && name[digits] != '~' && name[digits] != '^'))
		return -ENOENT;
	memcpy(text, name, digits);
	text[digits] = '\0';
	r = resolve_git(store, text, &oid);
	if (r)
		return r;
	if (strncasecmp(oid_hex(&oid, hex), text, digits))
		return -ENOENT;
	if (name[digits])
		return resolve_git(store, name, ret);
	*ret = oid;
	*ret_fixed = digits == OID_HEX_SIZE - 1;
	return 0;
}

/* "@NAME": a tag, then a commit. */
static int resolve_free(struct store *store, const char *name, struct oid *ret,
			bool *ret_fixed)
{
	scoped_buffer struct buffer tag = { 0 };
	int r = buffer_printf(&tag, "refs/tags/%s", name);

	if (r)
		return r;
	r = *name && !is_suffix(name) ? resolve_git(store, tag.data, ret) :
		-ENOENT;
	if (r == -ENOENT)
		r = resolve_id(store, name, ret, ret_fixed);
	return r;
}

static int resolve_name(struct store *store, const char *name, struct oid *ret,
			bool *ret_fixed)
{
	if (!strchr(name, '@'))
		return -ENOENT;
	if (*name == '@')
		return resolve_free(store, name + 1, ret, ret_fixed);
	return resolve_branch_suffix(store, name, ret);
}

int store_resolve(struct store *store, const char *name, struct oid *ret_commit,
		  bool *ret_fixed)
{
	bool fixed = false;
	struct oid commit;
	struct branch *b;
	int r = store_branch(store, name, &b);

	if (!r) {
		r = branch_head(b, &commit);
		branch_unref(b);
	} else {
		r = resolve_name(store, name, &commit, &fixed);
	}
	if (r)
		return r;
	*ret_commit = commit;
	*ret_fixed = fixed;
	return 0;
}

/* ---- views ---- */

static void view_free(struct view *v)
{
	worktree_unref(v->worktree);
	free(v);
}

static struct view *find_locked(struct store *store, const struct oid *commit)
{
	struct view *v;

	HASH_FIND(hh, store->views, commit, sizeof(*commit), v);
	if (v)
		v->users++;
	return v;
}

static int view_new(struct store *store, const struct oid *oid,
		    const struct commit *commit, struct view **ret)
{
	struct view *v = calloc(1, sizeof(*v));
	struct worktree_options options = {
		.odb = store->odb,
		.pool = store->pool,
		.clock = store->options.clock,
		.tree = commit->tree,
		.time = { .tv_sec = commit->committer.time },
		.uid = store->options.uid,
		.gid = store->options.gid,
		.readonly = true,
		.owner_only = true,
	};
	int r;

	if (!v)
		return -ENOMEM;
	/* Branches count up from 1: the top bit keeps views apart. */
	memcpy(&options.incarnation, oid->id, sizeof(options.incarnation));
	options.incarnation |= (uint64_t)1 << 63;
	v->store = store;
	v->commit = *oid;
	v->users = 1;
	r = worktree_new(&options, &v->worktree);
	if (r) {
		free(v);
		return r;
	}
	*ret = v;
	return 0;
}

/* v, or the one that another thread put there meanwhile. */
static int share(struct store *store, struct view *v, struct view **ret)
{
	struct view *shared;

	pthread_mutex_lock(&store->lock);
	shared = find_locked(store, &v->commit);
	if (!shared) {
		HASH_ADD(hh, store->views, commit, sizeof(v->commit), v);
		shared = v->hh.tbl ? v : NULL;
	}
	pthread_mutex_unlock(&store->lock);
	if (shared != v)
		view_free(v);
	if (!shared)
		return -ENOMEM;
	*ret = shared;
	return 0;
}

static int open_view(struct store *store, const struct oid *oid,
		     struct view **ret)
{
	struct commit *commit;
	struct view *v;
	int r;

	pthread_mutex_lock(&store->lock);
	v = find_locked(store, oid);
	pthread_mutex_unlock(&store->lock);
	if (v) {
		*ret = v;
		return 0;
	}
	r = commit_read(store->odb, oid, &commit);
	if (r)
		return r;
	r = view_new(store, oid, commit, &v);
	commit_free(commit);
	return r ? r : share(store, v, ret);
}

int store_view(struct store *store, const char *name, struct view **ret_view,
	       bool *ret_fixed)
{
	struct oid commit;
	bool fixed;
	int r = store_resolve(store, name, &commit, &fixed);

	if (!r)
		r = open_view(store, &commit, ret_view);
	if (!r)
		*ret_fixed = fixed;
	return r;
}

void view_unref(struct view *v)
{
	bool last;

	if (!v)
		return;
	pthread_mutex_lock(&v->store->lock);
	last = --v->users == 0;
	if (last)
		HASH_DEL(v->store->views, v);
	pthread_mutex_unlock(&v->store->lock);
	if (last)
		view_free(v);
}

struct worktree *view_worktree(struct view *v)
{
	return v->worktree;
}

const struct oid *view_commit(struct view *v)
{
	return &v->commit;
}

int store_tag(struct store *store, const struct oid *commit, const char *name,
	      struct report *report)
{
	static const struct oid none;
	scoped_buffer struct buffer ref = { 0 };
	int r = store_check_writable(store, report);

	if (!r && git_branch_check_name(name))
		r = report_set(report, -EINVAL, "%.200s is not a valid name for "
			       "a tag.", name);
	if (!r)
		r = buffer_printf(&ref, "refs/tags/%s", name);
	if (!r)
		r = git_ref_update(store->repo, ref.data, &none, commit,
				   "tag: made by irminfs");
	if (r == -ESTALE || r == -EEXIST)
		return report_set(report, -EEXIST, "There is a tag %s, or one "
				  "that its name clashes with, already.", name);
	if (r)
		report_set(report, r, "The tag %.200s cannot be made: %s.",
			   name, strerror(-r));
	return r;
}
