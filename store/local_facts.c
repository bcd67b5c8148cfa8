/* SPDX-License-Identifier: ISC */
#include "store/journal_record.h"
#include "store/local.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

struct local *local_new(void)
{
	return calloc(1, sizeof(struct local));
}

void local_free(struct local *local)
{
	if (!local)
		return;
	free(local->xattrs);
	free(local);
}

struct local *local_copy(const struct local *local)
{
	scoped_local struct local *copy = local_new();

	if (!copy)
		return NULL;
	*copy = *local;
	copy->xattrs = NULL;
	if (local->xattrs) {
		copy->xattrs = malloc(local->xattrs_size + 1);
		if (!copy->xattrs)
			return NULL;
		memcpy(copy->xattrs, local->xattrs, local->xattrs_size);
	}
	return STEAL(copy);
}

/* ---- facts ---- */

static bool git_has_kind(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

bool local_is_own(const struct local *local)
{
	if (local->bits & (LOCAL_EMPTY | LOCAL_OWN_BELOW | LOCAL_OBJECT))
		return true;
	return (local->bits & LOCAL_ATTRIBUTES) && !git_has_kind(local->mode);
}

void local_set_table(struct local *local, const struct local_ref *table)
{
	local->table = *table;
	local->bits &= ~LOCAL_TABLE;
	if (!oid_is_zero(&table->oid))
		local->bits |= LOCAL_TABLE;
}

bool local_wants_far(const struct local *local)
{
	return (local->bits & (LOCAL_XATTRS | LOCAL_FAR)) == LOCAL_XATTRS &&
	       local->xattrs_size > LOCAL_NEAR_MOST;
}

void local_set_far(struct local *local, const struct oid *far)
{
	local->far = *far;
	local->bits |= LOCAL_XATTRS | LOCAL_FAR;
	free(local->xattrs);
	local->xattrs = NULL;
	local->xattrs_size = 0;
}

bool local_is_of(const struct local *local, const struct oid *git)
{
	return (local->bits & LOCAL_GIT) &&
	       memcmp(local->git, git->id, LOCAL_GIT_SIZE) == 0;
}

void local_set_git(struct local *local, const struct oid *git)
{
	memcpy(local->git, git->id, LOCAL_GIT_SIZE);
	local->bits |= LOCAL_GIT;
}

/* ---- encoding ---- */

static int put(struct buffer *b, const void *data, size_t size)
{
	return buffer_append(b, data, size);
}

static int put_u32(struct buffer *b, uint32_t n)
{
	char bytes[4];

	put_u32_at(bytes, n);
	return put(b, bytes, sizeof(bytes));
}

static int put_u64(struct buffer *b, uint64_t n)
{
	char bytes[8];

	put_u64_at(bytes, n);
	return put(b, bytes, sizeof(bytes));
}

static int put_time(struct buffer *b, const struct timespec *time)
{
	int r = put_u64(b, time->tv_sec);

	return r < 0 ? r : put_u32(b, time->tv_nsec);
}

static int put_attributes(struct buffer *b, const struct local *local)
{
	int r = put_u32(b, local->mode);

	if (r == 0)
		r = put_u32(b, local->uid);
	return r < 0 ? r : put_u32(b, local->gid);
}

static int put_times(struct buffer *b, const struct local *local)
{
	int r = put_time(b, &local->mtime);

	return r < 0 ? r : put_time(b, &local->ctime);
}

static int put_git(struct buffer *b, const struct local *local)
{
	return put(b, local->git, LOCAL_GIT_SIZE);
}

static int put_below(struct buffer *b, const struct local *local)
{
	return put_time(b, &local->below);
}

static int put_device(struct buffer *b, const struct local *local)
{
	return put_u32(b, local->device);
}

static int put_group(struct buffer *b, const struct local *local)
{
	return put_u64(b, local->group);
}

static int put_xattrs(struct buffer *b, const struct local *local)
{
	int r;

	if (local->bits & LOCAL_FAR)
		return put(b, local->far.id, OID_SIZE);
	r = put_u32(b, local->xattrs_size);
	return r < 0 ? r : put(b, local->xattrs, local->xattrs_size);
}

static int put_table(struct buffer *b, const struct local *local)
{
	uint8_t is_tree = local->table.is_tree;
	int r = put(b, &is_tree, 1);

	return r < 0 ? r : put(b, local->table.oid.id, OID_SIZE);
}

static int put_object(struct buffer *b, const struct local *local)
{
	int r = put_u32(b, local->object_mode);

	return r < 0 ? r : put(b, local->object.id, OID_SIZE);
}

int local_encode(const struct local *local, struct buffer *ret)
{
	static const struct {
		unsigned int bit;
		int (*put)(struct buffer *b, const struct local *local);
	} parts[] = {
		{ LOCAL_ATTRIBUTES, put_attributes }, { LOCAL_TIMES, put_times },
		{ LOCAL_BELOW, put_below }, { LOCAL_GIT, put_git },
		{ LOCAL_DEVICE, put_device }, { LOCAL_GROUP, put_group },
		{ LOCAL_XATTRS, put_xattrs }, { LOCAL_TABLE, put_table },
		{ LOCAL_OBJECT, put_object },
	};
	uint8_t bits[2] = { local->bits, local->bits >> 8 };
	int r = put(ret, bits, sizeof(bits));

	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(*parts); i++)
		if (local->bits & parts[i].bit)
			r = parts[i].put(ret, local);
	return r;
}

/* ---- decoding ---- */

struct reader {
	const char *at, *end;
};

static const char *get(struct reader *in, size_t size)
{
	const char *at = in->at;

	if (size > (size_t)(in->end - at))
		return NULL;
	in->at += size;
	return at;
}

static bool get_u32(struct reader *in, uint32_t *ret)
{
	const char *at = get(in, 4);

	if (at)
		*ret = get_u32_at(at);
	return at;
}

static bool get_u64(struct reader *in, uint64_t *ret)
{
	const char *at = get(in, 8);

	if (at)
		*ret = get_u64_at(at);
	return at;
}

static bool get_oid(struct reader *in, struct oid *ret)
{
	const char *at = get(in, OID_SIZE);

	if (at)
		memcpy(ret->id, at, OID_SIZE);
	return at;
}

static bool get_time(struct reader *in, struct timespec *ret)
{
	uint64_t seconds;
	uint32_t ns;

	if (!get_u64(in, &seconds) || !get_u32(in, &ns) || ns >= 1000000000)
		return false;
	ret->tv_sec = (int64_t)seconds;
	ret->tv_nsec = ns;
	return true;
}

static bool is_mode(uint32_t mode)
{
	if (mode & ~(uint32_t)(S_IFMT | 07777))
		return false;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return true;
	}
	return false;
}

static bool get_attributes(struct reader *in, struct local *ret)
{
	return get_u32(in, &ret->mode) && get_u32(in, &ret->uid) &&
	       get_u32(in, &ret->gid) && is_mode(ret->mode);
}

static bool get_times(struct reader *in, struct local *ret)
{
	return get_time(in, &ret->mtime) && get_time(in, &ret->ctime);
}

static bool get_below(struct reader *in, struct local *ret)
{
	return get_time(in, &ret->below);
}

static bool get_git(struct reader *in, struct local *ret)
{
	const char *at = get(in, LOCAL_GIT_SIZE);

	if (at)
		memcpy(ret->git, at, LOCAL_GIT_SIZE);
	return at;
}

static bool get_device(struct reader *in, struct local *ret)
{
	return get_u32(in, &ret->device);
}

static bool get_group(struct reader *in, struct local *ret)
{
	return get_u64(in, &ret->group);
}

bool local_is_xattrs(const char *data, size_t size)
{
	struct reader in = { data, data + size };
	const char *last = "";
	size_t last_length = 0;

	while (in.at < in.end) {
		const char *at = get(&in, 1), *name;
		size_t length = (unsigned char)*at, common;
		uint32_t value;
		int order;

		name = get(&in, length);
		if (!length || !name || memchr(name, '\0', length) ||
		    !get_u32(&in, &value) || !get(&in, value))
			return false;
		common = length < last_length ? length : last_length;
		order = memcmp(last, name, common);
		if (order > 0 || (order == 0 && last_length >= length))
			return false;
		last = name;
		last_length = length;
	}
	return true;
}

static bool get_xattrs(struct reader *in, struct local *ret)
{
	const char *at;

	if (ret->bits & LOCAL_FAR)
		return get_oid(in, &ret->far);
	if (!get_u32(in, &ret->xattrs_size) ||
	    ret->xattrs_size > LOCAL_XATTRS_MOST)
		return false;
	at = get(in, ret->xattrs_size);
	if (!at || !local_is_xattrs(at, ret->xattrs_size))
		return false;
	ret->xattrs = malloc(ret->xattrs_size + 1);
	if (ret->xattrs)
		memcpy(ret->xattrs, at, ret->xattrs_size);
	return true;
}

static bool get_table(struct reader *in, struct local *ret)
{
	const char *at = get(in, 1);

	if (!at || (unsigned char)*at > 1)
		return false;
	ret->table.is_tree = *at;
	return get_oid(in, &ret->table.oid) && !oid_is_zero(&ret->table.oid);
}

static bool get_object(struct reader *in, struct local *ret)
{
	return get_u32(in, &ret->object_mode) && get_oid(in, &ret->object) &&
	       (ret->object_mode == MODE_FILE ||
		ret->object_mode == MODE_EXECUTABLE ||
		ret->object_mode == MODE_SYMLINK);
}

static bool get_parts(struct reader *in, struct local *ret)
{
	static const struct {
		unsigned int bit;
		bool (*get)(struct reader *in, struct local *ret);
	} parts[] = {
		{ LOCAL_ATTRIBUTES, get_attributes }, { LOCAL_TIMES, get_times },
		{ LOCAL_BELOW, get_below }, { LOCAL_GIT, get_git },
		{ LOCAL_DEVICE, get_device }, { LOCAL_GROUP, get_group },
		{ LOCAL_XATTRS, get_xattrs }, { LOCAL_TABLE, get_table },
		{ LOCAL_OBJECT, get_object },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if ((ret->bits & parts[i].bit) && !parts[i].get(in, ret))
			return false;
	return true;
}

int local_decode(const char **at, const char *end, struct local **ret_local)
{
	scoped_local struct local *local = local_new();
	struct reader in = { *at, end };
	const unsigned char *bits;

	if (!local)
		return -ENOMEM;
	bits = (const unsigned char *)get(&in, 2);
	if (!bits)
		return -EUCLEAN;
	local->bits = bits[0] | bits[1] << 8;
	if (local->bits & ~LOCAL_ALL)
		return -ENOTSUP;
	if (!get_parts(&in, local) ||
	    ((local->bits & LOCAL_FAR) && !(local->bits & LOCAL_XATTRS)))
		return -EUCLEAN;
	if ((local->bits & (LOCAL_XATTRS | LOCAL_FAR)) == LOCAL_XATTRS &&
	    !local->xattrs)
		return -ENOMEM;
	*at = in.at;
	*ret_local = STEAL(local);
	return 0;
}
