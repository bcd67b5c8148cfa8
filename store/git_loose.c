/* SPDX-License-Identifier: ISC */
#include "store/git_loose.h"
#include "store/git_deflate.h"
#include "store/git_inflate.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/sys/commit_graph.h>
#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <string.h>

/* libgit2's own priorities: what is in a pack is not looked for elsewhere. */
#define LOOSE_PRIORITY 1
#define PACK_PRIORITY 2
#define ALTERNATES_DEPTH 5
#define ALTERNATES_MOST 65536

struct loose {
	git_odb_backend backend;
	git_odb_backend *stock;		/* libgit2's, for all but reading
					 * and writing */
	char *path;
	int compression;
};

/* ---- reading ---- */

static int fail(int r, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(-r));
	if (r == -ENOMEM)
		git_error_set_oom();
	else
		git_error_set_str(r == -EUCLEAN ? GIT_ERROR_ODB : GIT_ERROR_OS,
				  text);
	return -1;
}

static int open_object(const struct loose *l, const git_oid *oid, int *ret_fd)
{
	scoped_free char *path = NULL;
	char hex[GIT_OID_HEXSZ + 1];

	git_oid_tostr(hex, sizeof(hex), oid);
	if (asprintf(&path, "%s/%.2s/%s", l->path, hex, hex + 2) < 0) {
		path = NULL;
		return fail(-ENOMEM, "loose object");
	}
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return GIT_ENOTFOUND;
	return fail(-errno, "loose object cannot be opened");
}

static void *alloc_data(void *context, size_t size)
{
	return size < SIZE_MAX ? git_odb_backend_data_alloc(context, size + 1) :
				 NULL;
}

static int loose_read(void **ret_data, size_t *ret_size, git_object_t *ret_type,
		      git_odb_backend *backend, const git_oid *oid)
{
	struct loose *l = (struct loose *)backend;
	scoped_fd int fd = -1;
	enum object_type type;
	void *data;
	int r = open_object(l, oid, &fd);

	if (r < 0)
		return r;
	r = git_inflate(fd, alloc_data, backend, &type, &data, ret_size);
	if (r < 0) {
		git_odb_backend_data_free(backend, data);
		return fail(r, "loose object cannot be read");
	}
	*ret_data = data;
	*ret_type = (git_object_t)type;
	return 0;
}

static int loose_read_header(size_t *ret_size, git_object_t *ret_type,
			     git_odb_backend *backend, const git_oid *oid)
{
	struct loose *l = (struct loose *)backend;
	scoped_fd int fd = -1;
	enum object_type type;
	int r = open_object(l, oid, &fd);

	if (r < 0)
		return r;
	r = git_inflate_header(fd, &type, ret_size);
	if (r < 0)
		return fail(r, "loose object cannot be read");
	*ret_type = (git_object_t)type;
	return 0;
}

static int loose_read_prefix(git_oid *ret_oid, void **ret_data,
			     size_t *ret_size, git_object_t *ret_type,
			     git_odb_backend *backend, const git_oid *prefix,
			     size_t length)
{
	struct loose *l = (struct loose *)backend;
	int r = l->stock->exists_prefix(ret_oid, l->stock, prefix, length);

	if (r < 0)
		return r;
	return loose_read(ret_data, ret_size, ret_type, backend, ret_oid);
}

/* ---- writing ---- */

static int loose_write(git_odb_backend *backend, const git_oid *oid,
		       const void *data, size_t size, git_object_t type)
{
	struct loose *l = (struct loose *)backend;
	struct git_deflate *d;
	int r = git_deflate_new(l->path, (enum object_type)type, size,
				l->compression, &d);

	if (r < 0)
		return fail(r, "loose object cannot be made");
	r = git_deflate_add(d, data, size);
	if (r == 0)
		r = git_deflate_end(d, (const struct oid *)oid);
	git_deflate_free(d);
	return r < 0 ? fail(r, "loose object cannot be written") : 0;
}

struct loose_stream {
	git_odb_stream stream;
	struct git_deflate *deflate;
};

static int stream_write(git_odb_stream *stream, const char *data, size_t size)
{
	struct loose_stream *s = (struct loose_stream *)stream;
	int r = git_deflate_add(s->deflate, data, size);

	return r < 0 ? fail(r, "loose object cannot be written") : 0;
}

/* libgit2 hashes what passes through a stream. */
static int stream_finalize(git_odb_stream *stream, const git_oid *oid)
{
	struct loose_stream *s = (struct loose_stream *)stream;
	int r = git_deflate_end(s->deflate, (const struct oid *)oid);

	return r < 0 ? fail(r, "loose object cannot be written") : 0;
}

static void stream_free(git_odb_stream *stream)
{
	git_deflate_free(((struct loose_stream *)stream)->deflate);
	free(stream);
}

static int loose_writestream(git_odb_stream **ret_stream,
			     git_odb_backend *backend, git_object_size_t size,
			     git_object_t type)
{
	struct loose *l = (struct loose *)backend;
	struct loose_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(-ENOMEM, "loose object");
	r = git_deflate_new(l->path, (enum object_type)type, size,
			    l->compression, &s->deflate);
	if (r < 0) {
		free(s);
		return fail(r, "loose object cannot be made");
	}
	s->stream = (git_odb_stream){
		.backend = backend,
		.mode = GIT_STREAM_WRONLY,
		.write = stream_write,
		.finalize_write = stream_finalize,
		.free = stream_free,
	};
	*ret_stream = &s->stream;
	return 0;
}

/* ---- the rest is libgit2's ---- */

static int loose_exists(git_odb_backend *backend, const git_oid *oid)
{
	git_odb_backend *stock = ((struct loose *)backend)->stock;

	return stock->exists(stock, oid);
}

static int loose_exists_prefix(git_oid *ret_oid, git_odb_backend *backend,
			       const git_oid *prefix, size_t length)
{
	git_odb_backend *stock = ((struct loose *)backend)->stock;

	return stock->exists_prefix(ret_oid, stock, prefix, length);
}

static int loose_foreach(git_odb_backend *backend, git_odb_foreach_cb visit,
			 void *context)
{
	git_odb_backend *stock = ((struct loose *)backend)->stock;

	return stock->foreach(stock, visit, context);
}

static int loose_freshen(git_odb_backend *backend, const git_oid *oid)
{
	git_odb_backend *stock = ((struct loose *)backend)->stock;

	return stock->freshen(stock, oid);
}

static void loose_free(git_odb_backend *backend)
{
	struct loose *l = (struct loose *)backend;

	if (l->stock)
		l->stock->free(l->stock);
	free(l->path);
	free(l);
}

static void set_operations(git_odb_backend *backend)
{
	git_odb_init_backend(backend, GIT_ODB_BACKEND_VERSION);
	backend->read = loose_read;
	backend->read_prefix = loose_read_prefix;
	backend->read_header = loose_read_header;
	backend->write = loose_write;
	backend->writestream = loose_writestream;
	backend->exists = loose_exists;
	backend->exists_prefix = loose_exists_prefix;
	backend->foreach = loose_foreach;
	backend->freshen = loose_freshen;
	backend->free = loose_free;
}

static int loose_new(const char *objects_dir, int compression,
		     git_odb_backend **ret_backend)
{
	struct loose *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return fail(-ENOMEM, "loose objects");
	set_operations(&l->backend);
	l->path = strdup(objects_dir);
	l->compression = compression;
	r = l->path ? 0 : fail(-ENOMEM, "loose objects");
	if (r == 0)
		r = git_odb_backend_loose(&l->stock, objects_dir, compression,
					  0, 0, 0);
	if (r < 0) {
		loose_free(&l->backend);
		return r;
	}
	*ret_backend = &l->backend;
	return 0;
}

/* ---- object databases ---- */

typedef int add_function(git_odb *odb, git_odb_backend *backend, int priority);

static int add(git_odb *odb, git_odb_backend *backend, int priority,
	       add_function *add_to)
{
	int r = add_to(odb, backend, priority);

	if (r < 0)
		backend->free(backend);
	return r;
}

static int add_folder(git_odb *odb, const char *path, int compression,
		      add_function *add_to)
{
	git_odb_backend *backend;
	int r = git_odb_backend_pack(&backend, path);

	if (r == 0)
		r = add(odb, backend, PACK_PRIORITY, add_to);
	if (r == 0)
		r = loose_new(path, compression, &backend);
	if (r == 0)
		r = add(odb, backend, LOOSE_PRIORITY, add_to);
	return r;
}

static int add_alternates(git_odb *odb, const char *path, int compression,
			  int depth);

/* One line of the file: a folder "objects", relative to that of this file (in
 * the first file only); comments and what is not there are left out. */
static int add_alternate(git_odb *odb, const char *path, const char *line,
			 int compression, int depth)
{
	scoped_free char *other = NULL;
	int r;

	if (!*line || *line == '#' || (*line != '/' && depth > 0))
		return 0;
	if (*line == '/')
		other = strdup(line);
	else if (asprintf(&other, "%s/%s", path, line) < 0)
		other = NULL;
	if (!other)
		return fail(-ENOMEM, "alternates");
	if (access(other, X_OK) < 0) {
		log_warning("%s/info/alternates names %s, which cannot be "
			    "read", path, other);
		return 0;
	}
	r = add_folder(odb, other, compression, git_odb_add_alternate);
	return r < 0 ? r : add_alternates(odb, other, compression, depth + 1);
}

/* gitrepository-layout(5), objects/info/alternates. */
static int add_alternates(git_odb *odb, const char *path, int compression,
			  int depth)
{
	scoped_buffer struct buffer text = { 0 };
	scoped_free char *file = NULL;
	char *rest, *line;
	int r;

	if (depth >= ALTERNATES_DEPTH)
		return 0;
	if (asprintf(&file, "%s/info/alternates", path) < 0) {
		file = NULL;
		return fail(-ENOMEM, "alternates");
	}
	r = read_file(AT_FDCWD, file, ALTERNATES_MOST, &text);
	if (r < 0)
		return r == -ENOENT ? 0 : fail(r, file);
	rest = text.data;
	for (r = 0; r == 0 && (line = strsep(&rest, "\n"));)
		r = add_alternate(odb, path, line, compression, depth);
	return r;
}

/* It only makes walks faster: without it, or with a bad one, all is well. */
static void add_commit_graph(git_odb *odb, const char *path)
{
	git_commit_graph *graph;

	if (git_commit_graph_open(&graph, path) < 0)
		return;
	if (git_odb_set_commit_graph(odb, graph) < 0)
		git_commit_graph_free(graph);
}

int git_loose_database(const char *objects_dir, int compression,
		       git_odb **ret_odb)
{
	git_odb *odb;
	int r = git_odb_new(&odb);

	if (r < 0)
		return r;
	r = add_folder(odb, objects_dir, compression, git_odb_add_backend);
	if (r == 0)
		r = add_alternates(odb, objects_dir, compression, 0);
	if (r < 0) {
		git_odb_free(odb);
		return r;
	}
	add_commit_graph(odb, objects_dir);
	*ret_odb = odb;
	return 0;
}

static int only(git_odb_backend *backend, git_odb **ret_odb)
{
	git_odb *odb;
	int r = git_odb_new(&odb);

	if (r < 0) {
		backend->free(backend);
		return r;
	}
	r = add(odb, backend, 1, git_odb_add_backend);
	if (r < 0) {
		git_odb_free(odb);
		return r;
	}
	*ret_odb = odb;
	return 0;
}

int git_loose_only(const char *objects_dir, int compression, git_odb **ret_odb,
		   git_odb_backend **ret_backend)
{
	int r = loose_new(objects_dir, compression, ret_backend);

	return r < 0 ? r : only(*ret_backend, ret_odb);
}

int git_packs_only(const char *objects_dir, git_odb **ret_odb)
{
	git_odb_backend *backend;
	int r = git_odb_backend_pack(&backend, objects_dir);

	return r < 0 ? r : only(backend, ret_odb);
}
