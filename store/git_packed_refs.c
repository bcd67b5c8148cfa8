/* SPDX-License-Identifier: ISC */
#include "store/git_packed_refs.h"
#include "store/git_ref_lock.h"

#include <errno.h>
#include <string.h>

#define FILE_MOST ((size_t)1 << 30)
#define LOCK_MS 1000

int packed_refs_read(int git_dir_fd, struct packed_refs *ret)
{
	int r = read_file(git_dir_fd, "packed-refs", FILE_MOST, &ret->text);

	if (r == -ENOENT) {
		ret->text = (struct buffer){ 0 };
		r = 0;
	}
	return r;
}

void packed_refs_release(struct packed_refs *refs)
{
	buffer_release(&refs->text);
}

static size_t next_line(const struct buffer *text, size_t position)
{
	const char *end = memchr(text->data + position, '\n',
				 text->length - position);

	return end ? (size_t)(end - text->data) + 1 : text->length;
}

static int parse_line(const struct buffer *text, struct packed_ref *ref)
{
	const char *line = text->data + ref->begin;
	size_t length = ref->end - ref->begin;

	if (length && line[length - 1] == '\n')
		length--;
	if (length && line[length - 1] == '\r')
		length--;
	if (length < OID_HEX_SIZE + 1 || line[OID_HEX_SIZE - 1] != ' ' ||
	    oid_parse(line, &ref->oid) < 0)
		return -EUCLEAN;
	ref->name = line + OID_HEX_SIZE;
	ref->length = length - OID_HEX_SIZE;
	return 1;
}

int packed_refs_next(const struct packed_refs *refs, size_t *position,
		     struct packed_ref *ret)
{
	const struct buffer *text = &refs->text;
	struct packed_ref ref = { .begin = *position };
	int r;

	while (ref.begin < text->length && text->data[ref.begin] == '#')
		ref.begin = next_line(text, ref.begin);
	if (ref.begin == text->length)
		return 0;
	ref.end = next_line(text, ref.begin);
	r = parse_line(text, &ref);
	if (r < 0)
		return r;
	while (ref.end < text->length && text->data[ref.end] == '^')
		ref.end = next_line(text, ref.end);
	*position = ref.end;
	*ret = ref;
	return r;
}

int packed_refs_find(const struct packed_refs *refs, const char *name,
		     struct packed_ref *ret)
{
	size_t position = 0, length = strlen(name);
	struct packed_ref ref;
	int r;

	while ((r = packed_refs_next(refs, &position, &ref)) > 0)
		if (ref.length == length && memcmp(ref.name, name, length) == 0) {
			*ret = ref;
			return 0;
		}
	return r < 0 ? r : -ENOENT;
}

int packed_refs_clash(const struct packed_refs *refs, const char *name)
{
	size_t position = 0, length = strlen(name);
	struct packed_ref ref;
	int r;

	while ((r = packed_refs_next(refs, &position, &ref)) > 0) {
		if (ref.length < length && name[ref.length] == '/' &&
		    memcmp(ref.name, name, ref.length) == 0)
			return 1;
		if (ref.length > length && ref.name[length] == '/' &&
		    memcmp(ref.name, name, length) == 0)
			return 1;
	}
	return r;
}

static int remove_locked(int git_dir_fd, const char *name,
			 struct ref_lock *lock)
{
	scoped(packed_refs_release) struct packed_refs refs = { 0 };
	struct packed_ref ref;
	int r = packed_refs_read(git_dir_fd, &refs);

	if (r == 0)
		r = packed_refs_find(&refs, name, &ref);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = ref_lock_write(lock, refs.text.data, ref.begin);
	if (r == 0)
		r = ref_lock_write(lock, refs.text.data + ref.end,
				   refs.text.length - ref.end);
	return r < 0 ? r : ref_lock_commit(lock);
}

int packed_refs_remove(int git_dir_fd, const char *name)
{
	struct ref_lock lock;
	int r = ref_lock_take(git_dir_fd, "packed-refs", LOCK_MS, &lock);

	if (r < 0)
		return r;
	r = remove_locked(git_dir_fd, name, &lock);
	ref_lock_release(&lock);
	return r;
}
