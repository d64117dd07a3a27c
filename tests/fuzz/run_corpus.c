/* Feeds every file of a folder to a fuzz target: the corpus as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Allocated to the byte, so that a sanitizer sees the first one too far. */
static int run_file(const char *folder, const char *name)
{
    char path[4096];
    struct stat s;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &s) != 0 || !S_ISREG(s.st_mode)) {
        perror(path);
        exit(1);
    }
    size_t size = (size_t)s.st_size;
    uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER (which must be there)\n", argv[0]);
        return 1;
    }
    int count = 0;
    for (struct dirent *e; (e = readdir(folder));)
        if (e->d_name[0] != '.')
            count += run_file(argv[1], e->d_name);
    closedir(folder);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
