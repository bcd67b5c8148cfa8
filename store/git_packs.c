/* SPDX-License-Identifier: ISC */
#include "store/git_packs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define NAME_SIZE (2 * SHA1_SIZE + 1)
#define FILE_SIZE 80
#define PRIVATE ".irminfs-"
#define KEEP_FILE PRIVATE "keep"

static const char keep_text[] = "irminfs: objects that no ref holds yet\n";

struct kept_pack {
	struct kept_pack *next;
	char name[NAME_SIZE];
};

/* ---- names ---- */

static int make_name(char ret[NAME_SIZE])
{
	unsigned char bytes[SHA1_SIZE];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* "pack-NAME.pack"; new: its temporary name. */
static const char *file_name(char file[FILE_SIZE], const char *name,
			     const char *ending, bool new)
{
	snprintf(file, FILE_SIZE, "%s%s.%s%s", new ? PRIVATE : "pack-", name,
		 ending, new ? "-new" : "");
	return file;
}

static void remove_file(const struct git_packs *p, const char *name,
			const char *ending, bool new)
{
	char file[FILE_SIZE];

	unlinkat(p->dir_fd, file_name(file, name, ending, new), 0);
}

/* ---- opening ---- */

int git_packs_init(struct git_packs *p, int git_dir_fd)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	p->kept = NULL;
	p->dir_fd = openat(git_dir_fd, "objects/pack", flags);
	if (p->dir_fd < 0 && errno == ENOENT) {
		mkdirat(git_dir_fd, "objects/pack", 0777);
		p->dir_fd = openat(git_dir_fd, "objects/pack", flags);
	}
	/* whoever cannot make it cannot write there either */
	return p->dir_fd < 0 && errno != ENOENT ? -errno : 0;
}

void git_packs_release(struct git_packs *p)
{
	git_packs_let_go(p, git_packs_take_kept(p));
	if (p->dir_fd >= 0)
		close(p->dir_fd);
}

/* ---- keeping ---- */

static int write_keep(int dir_fd, const char *file, int flags)
{
	scoped_fd int fd = openat(dir_fd, file, O_WRONLY | O_CREAT | O_CLOEXEC |
				  flags, 0444);
	int r;

	if (fd < 0)
		return -errno;
	r = write_fully(fd, keep_text, strlen(keep_text), 0);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, file, 0);
	return r;
}

static bool is_our_keep(const struct git_packs *p, const char *file)
{
	scoped_buffer struct buffer text = { 0 };

	return read_file(p->dir_fd, file, sizeof(keep_text), &text) == 0 &&
	       text.data && strcmp(text.data, keep_text) == 0;
}

/* A link costs no flush, and its text, by which recovery knows it, is there
 * after a power failure too.  Some file systems have no links, or allow few. */
static int keep(const struct git_packs *p, const char *name)
{
	char file[FILE_SIZE];

	file_name(file, name, "keep", false);
	if (linkat(p->dir_fd, KEEP_FILE, p->dir_fd, file, 0) == 0)
		return 0;
	if (errno == ENOENT && write_keep(p->dir_fd, KEEP_FILE, O_EXCL) == 0 &&
	    linkat(p->dir_fd, KEEP_FILE, p->dir_fd, file, 0) == 0)
		return 0;
	return write_keep(p->dir_fd, file, O_EXCL);
}

struct kept_pack *git_packs_take_kept(struct git_packs *p)
{
	return STEAL(p->kept);
}

void git_packs_put_kept(struct git_packs *p, struct kept_pack *kept)
{
	struct kept_pack **end = &kept;

	while (*end)
		end = &(*end)->next;
	*end = p->kept;
	p->kept = kept;
}

void git_packs_let_go(struct git_packs *p, struct kept_pack *kept)
{
	while (kept) {
		struct kept_pack *next = kept->next;

		remove_file(p, kept->name, "keep", false);
		free(kept);
		kept = next;
	}
}

/* ---- adding ---- */

static int open_new(const struct git_packs *p, const char *name,
		    const char *ending)
{
	char file[FILE_SIZE];

	return openat(p->dir_fd, file_name(file, name, ending, true),
		      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
}

/* Both are written before either is flushed: the first flush allocates for
 * both. */
static int write_new(const struct git_packs *p, const char *name,
		     struct pack_object *objects, size_t count, int level)
{
	scoped_fd int pack = open_new(p, name, "pack"), index = -1;
	unsigned char sum[SHA1_SIZE];
	int r;

	if (pack < 0)
		return -errno;
	index = open_new(p, name, "idx");
	if (index < 0)
		return -errno;
	r = git_pack_write(pack, objects, count, level, sum);
	if (r == 0)
		r = git_pack_write_index(index, objects, count, sum);
	if (r < 0)
		return r;
	if (fdatasync(pack) < 0 || fdatasync(index) < 0)
		return -errno;
	return 0;
}

static int rename_new(const struct git_packs *p, const char *name,
		      const char *ending)
{
	char from[FILE_SIZE], to[FILE_SIZE];

	return renameat(p->dir_fd, file_name(from, name, ending, true),
			p->dir_fd, file_name(to, name, ending, false)) < 0 ?
	       -errno : 0;
}

static int publish(const struct git_packs *p, const char *name, bool *ret_sick)
{
	int r = keep(p, name);

	if (r == 0)
		r = rename_new(p, name, "pack");
	if (r == 0)
		r = rename_new(p, name, "idx");
	if (r == 0 && fsync(p->dir_fd) < 0) {
		r = -errno;
		*ret_sick = true;
	}
	return r;
}

static void withdraw(const struct git_packs *p, const char *name)
{
	remove_file(p, name, "idx", true);
	remove_file(p, name, "pack", true);
	remove_file(p, name, "idx", false);
	remove_file(p, name, "pack", false);
	remove_file(p, name, "keep", false);
}

/* What odb_flush promises. */
static int known_error(int r)
{
	switch (r) {
	case 0:
	case -ENOSPC:
	case -EDQUOT:
	case -EROFS:
	case -ENOMEM:
		return r;
	case -EACCES:
	case -EPERM:
		return -EROFS;
	default:
		return -EIO;
	}
}

int git_packs_add(struct git_packs *p, struct pack_object *objects,
		  size_t count, int level, bool *ret_sick)
{
	struct kept_pack *kept;
	int r;

	if (p->dir_fd < 0)
		return -EROFS;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	r = make_name(kept->name);
	if (r == 0)
		r = write_new(p, kept->name, objects, count, level);
	/* a full disk can be tried again, with new files; who knows otherwise */
	if (r == -EIO)
		*ret_sick = true;
	if (r == 0)
		r = publish(p, kept->name, ret_sick);
	if (r < 0) {
		withdraw(p, kept->name);
		free(kept);
		return known_error(r);
	}
	kept->next = p->kept;
	p->kept = kept;
	return 0;
}

/* ---- recovery ---- */

static bool has_ending(const char *file, const char *ending)
{
	size_t length = strlen(file), n = strlen(ending);

	return length > n && strcmp(file + length - n, ending) == 0;
}

static bool has_index(const struct git_packs *p, const char *name)
{
	char file[FILE_SIZE];
	struct stat st;

	return fstatat(p->dir_fd, file_name(file, name, "idx", false), &st,
		       AT_SYMLINK_NOFOLLOW) == 0;
}

static int recover_keep(const struct git_packs *p, const char *file)
{
	char name[NAME_SIZE];
	size_t prefix = strlen("pack-");

	if (strlen(file) != prefix + NAME_SIZE - 1 + strlen(".keep") ||
	    strncmp(file, "pack-", prefix) != 0 || !is_our_keep(p, file))
		return 0;
	snprintf(name, sizeof(name), "%s", file + prefix);
	if (!has_index(p, name))
		remove_file(p, name, "pack", false);
	return unlinkat(p->dir_fd, file, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int recover_file(const struct git_packs *p, const char *file)
{
	if (strncmp(file, PRIVATE, strlen(PRIVATE)) == 0 &&
	    (has_ending(file, "-new") || strcmp(file, KEEP_FILE) == 0))
		return unlinkat(p->dir_fd, file, 0) < 0 && errno != ENOENT ?
		       -errno : 0;
	return has_ending(file, ".keep") ? recover_keep(p, file) : 0;
}

int git_packs_recover(struct git_packs *p)
{
	int fd = openat(p->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (p->dir_fd < 0)
		return 0;
	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = recover_file(p, entry->d_name);
	closedir(dir);
	return r;
}
