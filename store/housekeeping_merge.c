/* SPDX-License-Identifier: ISC */
#include "store/housekeeping_private.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* What `git repack --geometric=2 -d` does, but for one thing: that leaves out what a
 * larger pack has as well.  Another program's `git repack -ad` or `git gc` that began
 * when nothing needed such an object removes the larger pack when it ends, although
 * we have written the object again since.  So what a small pack has, the merged one
 * has. */

#define FOLDER "objects/pack"
#define NAME_MOST 200
#define FACTOR 2

/* Of an index (gitformat-pack(5)): version 1 begins with the fan-out table. */
#define INDEX_MAGIC 0xff744f63u
#define FANOUT_LAST ((off_t)255 * 4)

struct small_pack {
	char name[NAME_MOST];		/* without ending */
	uint32_t objects;
};

struct small_packs {
	struct small_pack *packs;	/* by number of objects */
	size_t count, capacity;
};

static char *file_name(char file[NAME_MOST + 16], const char *name,
		       const char *ending)
{
	snprintf(file, NAME_MOST + 16, "%s.%s", name, ending);
	return file;
}

/* ---- which ---- */

static bool has_file(int dir_fd, const char *name, const char *ending)
{
	char file[NAME_MOST + 16];

	return faccessat(dir_fd, file_name(file, name, ending), F_OK, 0) == 0;
}

static int count_objects(int dir_fd, const char *name, uint32_t *ret)
{
	char file[NAME_MOST + 16];
	scoped_fd int fd = openat(dir_fd, file_name(file, name, "idx"),
				  O_RDONLY | O_CLOEXEC);
	uint32_t magic, last;
	off_t at;

	if (fd < 0)
		return -errno;
	if (read_fully(fd, &magic, sizeof(magic), 0) != sizeof(magic))
		return -EIO;
	at = FANOUT_LAST + (be32toh(magic) == INDEX_MAGIC ? 8 : 0);
	if (read_fully(fd, &last, sizeof(last), at) != sizeof(last))
		return -EIO;
	*ret = be32toh(last);
	return 0;
}

/* Packs of garbage (mtimes) and of partial clones are git's own. */
static bool may_merge(int dir_fd, const char *name)
{
	return has_file(dir_fd, name, "pack") &&
	       !has_file(dir_fd, name, "keep") &&
	       !has_file(dir_fd, name, "mtimes") &&
	       !has_file(dir_fd, name, "promisor");
}

static int add_pack(struct small_packs *p, int dir_fd, const char *file)
{
	struct small_pack pack = { .objects = 0 };
	size_t length = strlen(file);

	if (length < 5 || length - 4 >= NAME_MOST ||
	    strncmp(file, "pack-", 5) != 0 ||
	    strcmp(file + length - 4, ".idx") != 0)
		return 0;
	memcpy(pack.name, file, length - 4);
	if (!may_merge(dir_fd, pack.name) ||
	    count_objects(dir_fd, pack.name, &pack.objects) < 0)
		return 0;
	if (p->count == p->capacity) {
		size_t more = p->capacity ? 2 * p->capacity : 64;
		struct small_pack *packs = reallocarray(p->packs, more,
							sizeof(*packs));

		if (!packs)
			return -ENOMEM;
		p->packs = packs;
		p->capacity = more;
	}
	p->packs[p->count++] = pack;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct small_pack *x = a, *y = b;

	return (x->objects > y->objects) - (x->objects < y->objects);
}

/* How many must be merged so that each of those left has at least twice as many
 * objects as the next smaller one. */
static size_t choose(const struct small_packs *p)
{
	uint64_t total = 0;
	size_t count = p->count;

	while (count > 1 && p->packs[count - 1].objects >=
				    (uint64_t)FACTOR * p->packs[count - 2].objects)
		count--;
	if (count <= 1)
		return 0;
	for (size_t i = 0; i < count; i++)
		total += p->packs[i].objects;
	for (; count < p->count && p->packs[count].objects < FACTOR * total;
	     count++)
		total += p->packs[count].objects;
	return count;
}

static int list_packs(int dir_fd, struct small_packs *p)
{
	int fd = dup(dir_fd), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	rewinddir(dir);
	while (r == 0 && (entry = readdir(dir)))
		r = add_pack(p, dir_fd, entry->d_name);
	closedir(dir);
	if (p->count)
		qsort(p->packs, p->count, sizeof(*p->packs), by_size);
	p->count = choose(p);
	return r;
}

/* ---- merging ---- */

/* Names for git to read. */
static int write_list(const struct small_packs *p, int fd)
{
	scoped_buffer struct buffer text = { 0 };
	int r = 0;

	for (size_t i = 0; i < p->count && r == 0; i++)
		r = buffer_printf(&text, "%s.pack\n", p->packs[i].name);
	return r < 0 ? r : write_fully(fd, text.data, text.length, 0);
}

/* A name that never was: another git removes the packs that it began with by name,
 * and the same objects would get the same one again. */
static int make_prefix(const struct housekeeping *h, char **ret, char name[64])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(name, 64, "pack-%016llx", (unsigned long long)random);
	if (asprintf(ret, "%s/" FOLDER "/%s", git_repo_path(h->repo), name) < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Whether git has made the pack that it says it has. */
static bool is_made(int dir_fd, const char *prefix, int said)
{
	char hash[80] = "", name[NAME_MOST];
	ssize_t size = read_fully(said, hash, sizeof(hash) - 1, 0);

	hash[size > 0 ? strcspn(hash, "\n") : 0] = '\0';
	snprintf(name, sizeof(name), "%s-%s", prefix, hash);
	return *hash && has_file(dir_fd, name, "pack") &&
	       has_file(dir_fd, name, "idx");
}

/* As git does, the index first, from which readers know the pack. */
static void remove_packs(const struct small_packs *p, int dir_fd)
{
	static const char *const endings[] = { "idx", "pack", "rev", "bitmap" };

	/* it would name packs that are gone */
	unlinkat(dir_fd, "multi-pack-index", 0);
	for (size_t i = 0; i < p->count; i++)
		for (size_t j = 0; j < sizeof(endings) / sizeof(*endings); j++) {
			char file[NAME_MOST + 16];

			unlinkat(dir_fd, file_name(file, p->packs[i].name,
						   endings[j]), 0);
		}
}

static int merge(struct housekeeping *h, const struct small_packs *p,
		 int dir_fd)
{
	scoped_fd int in = memfd_create("packs", MFD_CLOEXEC);
	scoped_fd int out = memfd_create("name", MFD_CLOEXEC);
	scoped_free char *prefix = NULL;
	char name[64];
	int r = in < 0 || out < 0 ? -errno : make_prefix(h, &prefix, name);

	if (r == 0)
		r = write_list(p, in);
	if (r == 0) {
		const char *const arguments[] = {
			HOUSEKEEPING_MODEST, "pack-objects", "--stdin-packs",
			"--unpacked", "--delta-base-offset", "--non-empty",
			"-q", prefix, NULL,
		};

		r = housekeeping_run(h, arguments, in, out);
	}
	if (r != 0)
		return r;
	if (!is_made(dir_fd, name, out)) {
		snprintf(h->said, sizeof(h->said), "git made no pack");
		return -EIO;
	}
	/* its name must be on the disk before theirs are gone */
	if (fsync(dir_fd) < 0)
		return -errno;
	remove_packs(p, dir_fd);
	return 0;
}

int housekeeping_merge(struct housekeeping *h)
{
	static const char *const prune_packed[] = { "prune-packed", "-q", NULL };
	struct small_packs p = { 0 };
	scoped_fd int dir_fd = openat(git_repo_dir_fd(h->repo), FOLDER,
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir_fd < 0 ? -errno : list_packs(dir_fd, &p);

	if (r == 0 && p.count) {
		r = merge(h, &p, dir_fd);
		if (r == 0)
			r = housekeeping_run(h, prune_packed, -1, -1);
	}
	free(p.packs);
	return r;
}
