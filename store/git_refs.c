/* SPDX-License-Identifier: ISC */
#include "store/git_refs.h"
#include "store/git_handle.h"
#include "store/git_packed_refs.h"
#include "store/git_ref_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Refs, read as Git's files backend does: a loose file wins over the line in
 * packed-refs, and is looked at first, since packing writes packed-refs before
 * it removes the file. */

#define REF_MOST 65536		/* bytes of a loose ref */
#define CHAIN_MOST 5		/* symbolic refs in a row, as in Git */
#define PEEL_MOST 100		/* tags of tags in a row */
#define COMPONENT_MOST (NAME_MAX - 5)	/* with room for ".lock" */
#define NAME_MOST 1000

/* ---- names ---- */

int ref_check_name(const char *name)
{
	int valid;

	if (strlen(name) > NAME_MOST)
		return -ENAMETOOLONG;
	for (const char *p = name; *p;) {
		size_t length = strcspn(p, "/");

		if (length > COMPONENT_MOST)
			return -ENAMETOOLONG;
		p += length + (p[length] == '/');
	}
	/* libgit2 lets DEL pass; Git does not */
	if (strncmp(name, "refs/", 5) != 0 || strchr(name, '\177') ||
	    git_reference_name_is_valid(&valid, name) < 0 || !valid)
		return -EINVAL;
	return 0;
}

int git_branch_check_name(const char *name)
{
	char full[sizeof("refs/heads/") + NAME_MOST];

	if (strlen(name) > NAME_MOST - strlen("refs/heads/"))
		return -ENAMETOOLONG;
	/* git-branch(1) refuses these, although they are valid refs */
	if (!*name || *name == '-' || strcmp(name, "HEAD") == 0 ||
	    strcmp(name, "@") == 0)
		return -EINVAL;
	snprintf(full, sizeof(full), "refs/heads/%s", name);
	return ref_check_name(full);
}

/* ---- one ref ---- */

static int parse_loose(char *text, struct ref_value *value)
{
	if (!text)
		return -EUCLEAN;
	if (strncmp(text, "ref:", 4) == 0) {
		text += 4;
		text += strspn(text, " \t");
		text[strcspn(text, " \t\r\n")] = '\0';
		if (!*text)
			return -EUCLEAN;
		value->target = strdup(text);
		return value->target ? 0 : -ENOMEM;
	}
	if (oid_parse(text, &value->oid) < 0 || oid_is_zero(&value->oid))
		return -EUCLEAN;
	text += OID_HEX_SIZE - 1;
	return *text == '\0' || strchr(" \t\r\n", *text) ? 0 : -EUCLEAN;
}

/* HEAD may be a symbolic link, as in the first years of Git. */
static int read_link(int dir_fd, const char *name, struct ref_value *value)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return -ENOENT;
	target[n] = '\0';
	if (strncmp(target, "refs/", 5) != 0)
		return -ENOENT;
	value->target = strdup(target);
	return value->target ? 0 : -ENOMEM;
}

static int read_loose(int dir_fd, const char *name, struct ref_value *value)
{
	scoped_buffer struct buffer text = { 0 };
	int r;

	value->is_loose = true;
	r = read_link(dir_fd, name, value);
	if (r != -ENOENT)
		return r;
	r = read_file(dir_fd, name, REF_MOST, &text);
	if (r == -ENOTDIR || r == -EISDIR)
		return -ENOENT;
	if (r == -EFBIG)
		return -EUCLEAN;
	return r < 0 ? r : parse_loose(text.data, value);
}

static int read_packed(int dir_fd, const char *name, struct ref_value *value)
{
	scoped(packed_refs_release) struct packed_refs refs = { 0 };
	struct packed_ref ref;
	int r = packed_refs_read(dir_fd, &refs);

	if (r == 0)
		r = packed_refs_find(&refs, name, &ref);
	if (r == 0) {
		value->is_loose = false;
		value->oid = ref.oid;
	}
	return r;
}

int ref_read_value(struct git_repo *repo, const char *name,
		   struct ref_value *ret)
{
	struct ref_value value = { 0 };
	int r = read_loose(repo->dir_fd, name, &value);

	if (r == -ENOENT)
		r = read_packed(repo->dir_fd, name, &value);
	if (r < 0) {
		if (r != -ENOENT)
			log_error("ref %s of %s is broken: %s", name,
				  repo->path, strerror(-r));
		return r;
	}
	*ret = value;
	return 0;
}

int ref_follow(struct git_repo *repo, const char *name, char **ret_name)
{
	scoped_free char *at = strdup(name);

	for (int i = 0; at && i <= CHAIN_MOST; i++) {
		struct ref_value value;
		int r = ref_read_value(repo, at, &value);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r < 0 || !value.target) {
			*ret_name = STEAL(at);
			return 0;
		}
		free(at);
		at = value.target;
	}
	return at ? -EUCLEAN : -ENOMEM;
}

int git_ref_read(struct git_repo *repo, const char *name, struct oid *ret_oid)
{
	scoped_free char *final = NULL;
	struct ref_value value;
	int r = ref_follow(repo, name, &final);

	if (r == 0)
		r = ref_read_value(repo, final, &value);
	if (r < 0)
		return r;
	/* it became symbolic just now */
	if (value.target) {
		free(value.target);
		return -EUCLEAN;
	}
	*ret_oid = value.oid;
	return 0;
}

/* ---- all refs ---- */

struct names {
	size_t count, capacity;
	char **names;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
}

/* Takes ownership of name. */
static int add_name(struct names *names, char *name)
{
	if (name && names->count == names->capacity) {
		size_t capacity = names->capacity ? 2 * names->capacity : 64;
		char **more = reallocarray(names->names, capacity,
					   sizeof(*more));

		if (!more) {
			free(name);
			return -ENOMEM;
		}
		names->names = more;
		names->capacity = capacity;
	}
	if (!name)
		return -ENOMEM;
	names->names[names->count++] = name;
	return 0;
}

static bool is_lock(const char *name)
{
	size_t length = strlen(name);

	return length > 5 && strcmp(name + length - 5, ".lock") == 0;
}

static int list_folder(int dir_fd, const char *folder, struct names *names);

static int list_entry(int dir_fd, const char *path, struct names *names)
{
	struct stat st;

	if (fstatat(dir_fd, path, &st, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return list_folder(dir_fd, path, names);
	if (ref_check_name(path) < 0) {
		log_warning("%s is no name for a ref and is ignored", path);
		return 0;
	}
	return add_name(names, strdup(path));
}

static int list_folder(int dir_fd, const char *folder, struct names *names)
{
	int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int r = 0;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir))) {
		scoped_free char *path = NULL;

		if (entry->d_name[0] == '.' || is_lock(entry->d_name))
			continue;
		if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
			break;
		}
		r = list_entry(dir_fd, path, names);
	}
	closedir(dir);
	return r;
}

static int list_packed(int dir_fd, struct names *names)
{
	scoped(packed_refs_release) struct packed_refs refs = { 0 };
	struct packed_ref ref;
	size_t position = 0;
	int r = packed_refs_read(dir_fd, &refs);

	while (r == 0 && (r = packed_refs_next(&refs, &position, &ref)) > 0)
		r = add_name(names, strndup(ref.name, ref.length));
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Folder part of a prefix, without the slash at its end. */
static char *prefix_folder(const char *prefix)
{
	const char *slash = strrchr(prefix, '/');

	return slash ? strndup(prefix, slash - prefix) : strdup("refs");
}

static int list_names(struct git_repo *repo, const char *prefix,
		      struct names *names)
{
	scoped_free char *folder = prefix_folder(prefix);
	int r;

	if (!folder)
		return -ENOMEM;
	r = list_folder(repo->dir_fd, folder, names);
	if (r == 0)
		r = list_packed(repo->dir_fd, names);
	if (r < 0)
		log_error("the refs of %s cannot be listed: %s", repo->path,
			  strerror(-r));
	else if (names->count)
		qsort(names->names, names->count, sizeof(*names->names),
		      compare_names);
	return r;
}

static int tag_target(struct odb *odb, const struct oid *tag,
		      struct oid *ret_oid)
{
	scoped_free char *data = NULL;
	size_t size;
	int r = odb_read(odb, tag, OBJECT_TAG, (void **)&data, &size);

	if (r < 0)
		return r;
	if (size < 7 + OID_HEX_SIZE || strncmp(data, "object ", 7) != 0)
		return -EUCLEAN;
	return oid_parse(data + 7, ret_oid) < 0 ? -EUCLEAN : 0;
}

/* 0: names a commit; 1: something else; or negative errno. */
static int peel(struct odb *odb, const struct oid *oid, struct oid *ret_commit)
{
	struct oid at = *oid;

	for (int i = 0; i < PEEL_MOST; i++) {
		enum object_type type;
		int r = odb_read_header(odb, &at, &type, NULL);

		if (r < 0)
			return r;
		if (type == OBJECT_COMMIT) {
			*ret_commit = at;
			return 0;
		}
		if (type != OBJECT_TAG)
			return 1;
		r = tag_target(odb, &at, &at);
		if (r < 0)
			return r;
	}
	return -EUCLEAN;
}

static int visit_ref(struct git_repo *repo, const char *name,
		     git_ref_visit *visit, void *context)
{
	struct oid oid, peeled;
	int r = git_ref_read(repo, name, &oid);

	/* removed meanwhile, or a symbolic ref to what does not exist yet */
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = peel(repo->odb, &oid, &peeled);
	if (r == 1 && strncmp(name, "refs/heads/", 11) != 0)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r != 0) {
		log_error("ref %s of %s is broken: it names no commit that "
			  "can be read", name, repo->path);
		memset(&oid, 0, sizeof(oid));
		memset(&peeled, 0, sizeof(peeled));
	}
	return visit(context, name, &oid, &peeled);
}

int git_refs_each(struct git_repo *repo, const char *prefix,
		  git_ref_visit *visit, void *context)
{
	scoped(names_release) struct names names = { 0 };
	int r = list_names(repo, prefix, &names);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.names[i];

		if (strncmp(name, prefix, strlen(prefix)) != 0 ||
		    (i > 0 && strcmp(name, names.names[i - 1]) == 0))
			continue;
		r = visit_ref(repo, name, visit, context);
	}
	return r;
}

/* ---- whether there is a branch ---- */

#define HEADS "refs/heads/"

void git_packed_mark(struct git_repo *repo, struct git_packed_mark *ret)
{
	struct stat st;

	*ret = (struct git_packed_mark){ 0 };
	if (fstatat(repo->dir_fd, "packed-refs", &st, 0) == 0)
		*ret = (struct git_packed_mark){
			.inode = st.st_ino, .size = st.st_size,
			.mtime = st.st_mtim,
		};
}

static bool is_same_mark(const struct git_packed_mark *a,
			 const struct git_packed_mark *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static int peek_names(const struct names *names, const char *path,
		      git_branch_visit *visit, void *context)
{
	size_t length = strlen(path);
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->count; i++) {
		const char *name = names->names[i];

		if (strncmp(name, path, length) == 0 &&
		    (name[length] == '\0' || name[length] == '/'))
			r = visit(context, name + strlen(HEADS));
	}
	return r;
}

int git_branch_peek(struct git_repo *repo, const char *name,
		    const struct git_packed_mark *known,
		    git_branch_visit *visit, void *context)
{
	scoped(names_release) struct names loose = { 0 }, packed = { 0 };
	char path[sizeof(HEADS) + NAME_MOST];
	struct git_packed_mark mark;
	struct stat st;
	int r = 0;

	if (git_branch_check_name(name) < 0)
		return 0;
	snprintf(path, sizeof(path), HEADS "%s", name);
	if (fstatat(repo->dir_fd, path, &st, 0) == 0) {
		if (!S_ISDIR(st.st_mode))
			return visit(context, name);
		r = list_folder(repo->dir_fd, path, &loose);
	}
	if (r == 0)
		r = peek_names(&loose, path, visit, context);
	git_packed_mark(repo, &mark);
	if (r || is_same_mark(&mark, known))
		return r;
	r = list_packed(repo->dir_fd, &packed);
	return r < 0 ? r : peek_names(&packed, path, visit, context);
}

/* ---- HEAD ---- */

int git_head_read(struct git_repo *repo, char **ret_name)
{
	struct ref_value value;
	scoped_free char *target = NULL;
	int r = ref_read_value(repo, "HEAD", &value);

	if (r < 0)
		return r;
	target = value.target;
	if (!target || strncmp(target, "refs/heads/", 11) != 0)
		return -ENOENT;
	*ret_name = strdup(target + 11);
	return *ret_name ? 0 : -ENOMEM;
}
